import Crypto
import HTTPTypes
import Kernel
import NIOCore
import Tenancy

/// The parts of a call that don't depend on its types.
struct CallFrame: Sendable {
    let operation: String
    let parameterNames: [[String]]
    let values: [any Sendable]
    let version: Int64?
    let idempotencyKey: String?
    let method: HTTPRequest.Method
    let path: String
    let body: ByteBuffer

    /// What makes a repeated request the same request.
    func fingerprint() -> [UInt8] {
        var hash = SHA256()
        hash.update(data: Array("\(method.rawValue) \(path)\n".utf8))
        body.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        return Array(hash.finalize())
    }
}

/// The steps every request to an endpoint goes through, cheapest refusal first.
struct Procedure<Who: Sendable, Body: Sendable, Output: Sendable>: Sendable {
    let operation: String
    let access: Access<Who>
    let parameters: [any DeclaredParameter]
    let parameterNames: [[String]]
    let queryNames: Set<String>
    let content: Content<Body>
    let needsIfMatch: Bool
    let idempotency: Idempotency<Who>
    let success: Success<Output>
    let handle: @Sendable (Call<Who, Body, Output>) async throws -> Reply<Output>

    init(
        operation: String, access: Access<Who>, parameters: [any DeclaredParameter], content: Content<Body>,
        needsIfMatch: Bool, idempotency: Idempotency<Who>, success: Success<Output>,
        handle: @escaping @Sendable (Call<Who, Body, Output>) async throws -> Reply<Output>
    ) {
        self.operation = operation
        self.access = access
        self.parameters = parameters
        self.content = content
        self.needsIfMatch = needsIfMatch
        self.idempotency = idempotency
        self.success = success
        self.handle = handle
        parameterNames = parameters.map { $0.specifications.map(\.name) }
        queryNames = Set(parameters.flatMap(\.specifications).filter { $0.place == .query }.map(\.name))
    }

    func respond(
        to incoming: Incoming, _ admission: Gate.Admission, _ cursors: CursorSeal
    ) async throws -> Outgoing {
        guard let who = access.who(admission.caller) else {
            throw EndpointFault("\(operation) was let through without a caller")
        }
        let key = try idempotency.find == nil ? nil : requiredIdempotencyKey(incoming.headers)
        let version = try needsIfMatch ? requiredVersion(incoming.headers) : nil
        let values = try parameterValues(incoming, cursors)
        let (body, bytes) = try await body(of: incoming)
        let frame = CallFrame(
            operation: operation, parameterNames: parameterNames, values: values, version: version,
            idempotencyKey: key, method: incoming.method, path: incoming.path, body: bytes)
        let call = Call(
            who: who, body: body, requestID: incoming.requestID, correlation: incoming.correlation,
            logger: admission.logger, progress: incoming.progress, success: success, frame: frame)
        do {
            return try outgoing(try await handle(call))
        } catch {
            if let find = idempotency.find, let key, let replay = try await replay(find, key, who, frame, error) {
                return replay
            }
            throw error
        }
    }

    private func outgoing(_ reply: Reply<Output>) throws -> Outgoing {
        guard (reply.version != nil) == success.isVersioned, (reply.location != nil) == success.hasLocation else {
            throw EndpointFault("\(operation) replied without the ETag or Location it declares, or with one it doesn't")
        }
        var headers = HTTPFields()
        if let version = reply.version { headers[.eTag] = entityTag(version) }
        if let location = reply.location { headers[.location] = location }
        return Outgoing(
            status: reply.status, headers: headers, contentType: success.shape == nil ? nil : .json, body: reply.body)
    }

    // MARK: Idempotency

    /// Whatever made the repeated request fail, the answer to the first one stands, where there was a first one: a slug
    /// that is taken may be taken by the very request that is repeated.
    private func replay(
        _ find: @Sendable (String, Who) async throws -> CommandReceipt?, _ key: String, _ who: Who, _ frame: CallFrame,
        _ error: any Error
    ) async throws -> Outgoing? {
        let isRepeated = error is ReceiptExists
        if let problem = (error as? Problem) ?? (error as? any ProblemConvertible)?.problem,
            [401, 403].contains(problem.type.status)
        {
            return nil
        }
        guard isRepeated || error is any ProblemConvertible || error is StaleVersion else { return nil }
        guard let receipt = try await find(key, who) else {
            guard isRepeated else { return nil }
            throw Problem(.requestInFlight, headers: [.retryAfter: "1"])
        }
        guard receipt.fingerprint == frame.fingerprint() else { throw Problem(.idempotencyKeyReused) }
        var headers = HTTPFields()
        for header in receipt.headers {
            if let name = HTTPField.Name(header.name) { headers[name] = header.value }
        }
        headers[.idempotencyReplayed] = "true"
        return Outgoing(
            status: receipt.status, headers: headers, contentType: receipt.body.isEmpty ? nil : .json,
            body: receipt.body)
    }

    private func requiredIdempotencyKey(_ headers: HTTPFields) throws -> String {
        let fields = headers[values: .idempotencyKey]
        guard let field = fields.first else { throw Problem(.idempotencyKeyMissing) }
        guard fields.count == 1, let key = idempotencyKey(field) else {
            throw Problem(
                .invalidParameter,
                violations: [
                    Violation(
                        "must be one key of 1 to 255 visible ASCII characters, quoted or bare",
                        at: .header("Idempotency-Key"))
                ])
        }
        return key
    }

    // MARK: Preconditions

    private func requiredVersion(_ headers: HTTPFields) throws -> Int64 {
        let fields = headers[values: .ifMatch]
        guard let field = fields.first else { throw Problem(.preconditionRequired) }
        guard fields.count == 1, let tag = EntityTag(field) else {
            throw Problem(
                .invalidParameter,
                violations: [Violation("must be exactly one entity tag, such as \"3\"", at: .header("If-Match"))])
        }
        // If-Match compares strongly (RFC 9110, section 13.1.1): a weak tag, and one we never gave out, match nothing.
        guard !tag.isWeak, let version = tag.version else { throw Problem(.staleVersion) }
        return version
    }

    // MARK: Parameters

    private func parameterValues(_ incoming: Incoming, _ cursors: CursorSeal) throws -> [any Sendable] {
        guard !parameters.isEmpty || !incoming.query.isEmpty else { return [] }
        var violations: [Violation] = []
        let query = try queryValues(incoming.query, &violations)
        let input = ParameterInput(
            operation: operation, path: incoming.pathValues, query: query, cursors: cursors)
        var values: [any Sendable] = []
        values.reserveCapacity(parameters.count)
        for parameter in parameters { parse(parameter, input, &values, &violations) }
        guard violations.isEmpty else { throw Problem(.invalidParameter, violations: violations) }
        return values
    }

    private func parse<P: DeclaredParameter>(
        _ parameter: P, _ input: ParameterInput, _ values: inout [any Sendable], _ violations: inout [Violation]
    ) {
        if let value = parameter.parse(input, into: &violations) { values.append(value) }
    }

    private func queryValues(_ query: Substring, _ violations: inout [Violation]) throws -> [(String, String)] {
        var values: [(name: String, value: String)] = []
        for pair in query.utf8.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = percentDecoded(parts[0]),
                let value = percentDecoded(parts.count > 1 ? parts[1] : "".utf8[...])
            else {
                throw Problem(.malformedRequest, "The query holds a percent escape that is no UTF-8.")
            }
            if !queryNames.contains(name) {
                violations.append(Violation("is not a parameter of this operation", at: .parameter(name)))
            } else if values.contains(where: { $0.name == name }) {
                violations.append(Violation("is given more than once", at: .parameter(name)))
            }
            values.append((name, value))
            guard values.count <= 100 else {
                throw Problem(.invalidParameter, "The query has more than 100 parameters.")
            }
        }
        return values
    }

    // MARK: Body

    private func body(of incoming: Incoming) async throws -> (Body, ByteBuffer) {
        if let absent = content.absent { return (absent, ByteBuffer()) }
        guard let shape = shape(for: incoming.headers[.contentType]) else {
            let types = content.shapes.map(\.mediaType).joined(separator: ", ")
            throw Problem(
                .unsupportedMediaType, "Send one of \(types), in UTF-8.", headers: [.accept: types])
        }
        let bytes = try await incoming.body.read()
        let json: JSON
        do throws(JSONError) {
            json = try bytes.withUnsafeReadableBytes { raw in
                Result { () throws(JSONError) in try JSON.parse(raw) }
            }.get()
        } catch {
            throw Problem(
                .malformedJSON, error.description,
                extensions: [
                    .init(name: "line", value: .integer(error.line)),
                    .init(name: "column", value: .integer(error.column)),
                ])
        }
        var violations: [Violation] = []
        guard let body = shape.decode(json, into: &violations) else {
            throw Problem(.invalidBody, violations: violations)
        }
        return (body, bytes)
    }

    private func shape(for contentType: String?) -> Shape<Body>? {
        guard let contentType else { return nil }
        for (mediaType, shape) in content.shapes where contentType == mediaType { return shape }
        let parts = contentType.split(separator: ";", omittingEmptySubsequences: false)
        for parameter in parts.dropFirst() {
            let pair = parameter.split(separator: "=", maxSplits: 1).map { trimmed($0).lowercased() }
            guard pair.count == 2 else { return nil }
            if pair[0] == "charset", pair[1] != "utf-8", pair[1] != "\"utf-8\"" { return nil }
        }
        let name = trimmed(parts.first ?? "").lowercased()
        return content.shapes.first { $0.mediaType == name }?.shape
    }
}

private func trimmed(_ text: Substring) -> Substring {
    var text = text
    while text.first == " " || text.first == "\t" { text.removeFirst() }
    while text.last == " " || text.last == "\t" { text.removeLast() }
    return text
}

import Kernel

/// One operation of the HTTP API, declared as a value: the same declaration serves requests and documents itself.
package struct Endpoint: Sendable {
    package let method: Method
    /// `/api/v1/orders/{id}`
    package let path: String
    /// Unique among all endpoints; names the operation in OpenAPI, metrics and logs.
    package let operation: String

    let outline: Outline
    let respond: @Sendable (Incoming, Gate.Admission, CursorSeal) async throws -> Outgoing

    /// What the documentation says about an endpoint beyond its method, path and name.
    struct Outline: Sendable {
        var tag: String
        var summary: String
        var about: String
        var access: AccessRule
        var parameters: [ParameterSpecification]
        var contents: [(mediaType: String, schema: JSON, example: JSON, isReadable: Bool)]
        var isIdempotent: Bool
        var needsIfMatch: Bool
        var success: Answer
        var problems: [ProblemType]
        var definitions: Definitions
    }

    /// The success of an endpoint, as the documentation shows it.
    struct Answer: Sendable {
        var status: Int
        var about: String
        var mediaType = "application/json"
        var schema: JSON?
        var example: JSON?
        var isVersioned = false
        var hasLocation = false
    }

    /// `problems` are those of the endpoint's own; the ones that follow from the rest of the declaration add themselves.
    package init<Who, Body, Output>(
        _ method: Method, _ path: String, _ operation: String, tag: String, summary: String, about: String = "",
        access: Access<Who>, parameters: [any DeclaredParameter] = [], body: Content<Body>, ifMatch: Bool = false,
        idempotency: Idempotency<Who> = .none, success: Success<Output>, problems: [ProblemType] = [],
        _ handle: @escaping @Sendable (Call<Who, Body, Output>) async throws -> Reply<Output>
    ) {
        self.method = method
        self.path = path
        self.operation = operation
        var definitions = success.shape?.definitions ?? Definitions()
        for (_, shape) in body.shapes { definitions.merge(shape.definitions) }
        for specification in parameters.flatMap(\.specifications) { definitions.merge(specification.definitions) }
        outline = Outline(
            tag: tag, summary: summary, about: about, access: access.rule,
            parameters: parameters.flatMap(\.specifications),
            contents: body.shapes.map { ($0, $1.schema, $1.example, $1.isReadable) },
            isIdempotent: idempotency.find != nil, needsIfMatch: ifMatch,
            success: Answer(
                status: success.status, about: success.about, schema: success.shape?.schema,
                example: success.shape?.example, isVersioned: success.isVersioned, hasLocation: success.hasLocation),
            problems: problems, definitions: definitions)
        let procedure = Procedure(
            operation: operation, access: access, parameters: parameters, content: body, needsIfMatch: ifMatch,
            idempotency: idempotency, success: success, handle: handle)
        respond = { incoming, admission, cursors in
            try await procedure.respond(to: incoming, admission, cursors)
        }
    }

    /// An endpoint that takes no body.
    package init<Who, Output>(
        _ method: Method, _ path: String, _ operation: String, tag: String, summary: String, about: String = "",
        access: Access<Who>, parameters: [any DeclaredParameter] = [], ifMatch: Bool = false,
        idempotency: Idempotency<Who> = .none, success: Success<Output>, problems: [ProblemType] = [],
        _ handle: @escaping @Sendable (Call<Who, Void, Output>) async throws -> Reply<Output>
    ) {
        self.init(
            method, path, operation, tag: tag, summary: summary, about: about, access: access, parameters: parameters,
            body: .none, ifMatch: ifMatch, idempotency: idempotency, success: success, problems: problems, handle)
    }

    /// An endpoint whose answer is no JSON of a shape.
    init(
        get path: String, _ operation: String, outline: Outline,
        respond: @escaping @Sendable () async throws -> Outgoing
    ) {
        method = .get
        self.path = path
        self.operation = operation
        self.outline = outline
        self.respond = { incoming, _, _ in
            guard incoming.query.isEmpty else {
                throw Problem(.invalidParameter, "This path takes no query.")
            }
            return try await respond()
        }
    }
}

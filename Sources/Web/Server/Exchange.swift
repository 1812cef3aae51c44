import HTTPTypes
import Hummingbird
import HummingbirdCore
import Kernel
import Logging
import NIOCore
import Telemetry
import Tenancy

/// One request and what names it: its id, its trace, its path.
struct Exchange {
    let method: HTTPRequest.Method
    let path: String
    let query: Substring
    let headers: HTTPFields
    let requestID: String
    let correlation: Correlation
    let progress = WriteProgress()
    let logger: Logger

    init(_ request: Request, _ identifiers: IdentifierSource, _ logger: Logger) {
        method = request.method
        headers = request.headers
        let target = originForm(request.head.path ?? "")
        let question = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        path = String(target[..<question])
        query = question == target.endIndex ? "" : target[target.utf8.index(after: question)...]
        let id: CorrelationID = identifiers.next()
        let parent = headers[.traceParent].flatMap { TraceParent($0) }
        correlation = Correlation(id: id, trace: parent?.child() ?? .random())
        requestID = headers[.requestID].flatMap { isRequestID($0) ? $0 : nil } ?? id.description
        var logger = logger
        logger[metadataKey: LogKey.request] = .string(requestID)
        self.logger = logger
    }

    var isHead: Bool { method == .head }

    /// What a log line should hold of a path that may be any length.
    var shownPath: String { path.utf8.count <= 200 ? path : String(path.prefix(200)) + "…" }

    /// HEAD is answered by what answers GET.
    func route<Target>(in routes: RouteTable<Target>) throws -> (Target, values: [(name: String, value: String)]) {
        switch routes.find(method: isHead ? "GET" : method.rawValue, path: path) {
        case .found(let target, let values): return (target, values)
        case .wrongMethod(let allowed):
            let methods = allowed.contains("GET") ? allowed + ["HEAD"] : allowed
            throw Problem(.methodNotAllowed, headers: [.allow: methods.joined(separator: ", ")])
        case .unknown: throw Problem(.noSuchPath)
        case .unreadable: throw Problem(.malformedRequest, "The path holds a percent escape that is no UTF-8.")
        }
    }

    func incoming(_ values: [(name: String, value: String)], _ body: BodyReader) -> Incoming {
        Incoming(
            method: method, path: path, query: query, headers: headers, pathValues: values, requestID: requestID,
            correlation: correlation, progress: progress, body: body)
    }

    func head(of outgoing: Outgoing) -> HTTPResponse {
        var fields = outgoing.headers
        fields[.date] = HTTPDate.shared.now()
        if let type = outgoing.contentType { fields[.contentType] = type.rawValue }
        if outgoing.status != 204 { fields[.contentLength] = String(outgoing.body.count) }
        fields[.requestID] = requestID
        fields[.traceParent] = correlation.trace.description
        if fields[.cacheControl] == nil { fields[.cacheControl] = "no-store" }
        if let token = progress.token { fields[.consistency] = token.description }
        fields[.xContentTypeOptions] = "nosniff"
        if outgoing.closes { fields[.connection] = "close" }
        return HTTPResponse(status: .init(code: outgoing.status), headerFields: fields)
    }
}

private func isRequestID(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
}

/// The path and query of a request target; of the absolute form (RFC 9112, section 3.2.2), what follows the authority.
private func originForm(_ target: String) -> Substring {
    guard target.utf8.first != UInt8(ascii: "/"), target.hasPrefix("http://") || target.hasPrefix("https://") else {
        return target[...]
    }
    let authority = target.utf8.firstIndex(of: UInt8(ascii: ":")).map { target.utf8.index($0, offsetBy: 3) }!
    guard
        let slash = target.utf8[authority...].firstIndex(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") })
    else { return "/" }
    return target[slash...]
}

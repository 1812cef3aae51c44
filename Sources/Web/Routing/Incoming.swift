import HTTPTypes
import Kernel
import Tenancy

/// One request on its way to an endpoint.
struct Incoming: Sendable {
    let method: HTTPRequest.Method
    /// As it was sent, without the query.
    let path: String
    let query: Substring
    let headers: HTTPFields
    let pathValues: [(name: String, value: String)]
    let requestID: String
    let correlation: Correlation
    let progress: WriteProgress
    let body: BodyReader
}

/// One answer on its way back.
struct Outgoing: Sendable {
    enum ContentType: String {
        case json = "application/json"
        case problem = "application/problem+json"
        case prometheus = "text/plain; version=0.0.4; charset=utf-8"
    }

    var status: Int
    var headers: HTTPFields = [:]
    var contentType: ContentType?
    var body: [UInt8] = []
    /// The rest of the request is not worth reading.
    var closes = false
}

extension HTTPField.Name {
    static let requestID = HTTPField.Name("X-Request-Id")!
    static let tenantID = HTTPField.Name("X-Tenant-Id")!
    static let traceParent = HTTPField.Name("traceparent")!
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    static let consistency = HTTPField.Name("Atrium-Consistency")!
    static let idempotencyReplayed = HTTPField.Name("Idempotency-Replayed")!
}

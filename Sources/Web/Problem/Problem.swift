package import HTTPTypes
package import Kernel

/// One kind of problem (RFC 9457) that clients can tell apart: its URI, status and title never change.
package struct ProblemType: Hashable, Sendable {
    /// The last part of the type's URI, `https://atrium.dev/problems/<slug>`.
    package let slug: String
    package let status: Int
    package let title: String
    /// When it happens and what the client can do, for the documentation.
    package let about: String

    package init(_ slug: String, _ status: Int, _ title: String, _ about: String = "") {
        self.slug = slug
        self.status = status
        self.title = title
        self.about = about
    }

    package var uri: String { "https://atrium.dev/problems/\(slug)" }
}

/// One answer that says what went wrong: throw it, or let an error of a context make it (`ProblemConvertible`).
package struct Problem: Error, Sendable {
    package let type: ProblemType
    /// What is special about this occurrence; never holds what the caller may not see.
    package var detail: String?
    package var violations: [Violation]
    package var extensions: [JSONObject.Member]
    package var headers: HTTPFields

    package init(
        _ type: ProblemType, _ detail: String? = nil, violations: [Violation] = [],
        extensions: [JSONObject.Member] = [], headers: HTTPFields = [:]
    ) {
        self.type = type
        self.detail = detail
        self.violations = violations
        self.extensions = extensions
        self.headers = headers
    }

    func json(requestID: String) -> JSON {
        var object = JSONObject()
        object["type"] = .string(type.uri)
        object["title"] = .string(type.title)
        object["status"] = .integer(type.status)
        if let detail { object["detail"] = .string(detail) }
        object["requestId"] = .string(requestID)
        if !violations.isEmpty { object["errors"] = .array(violations.prefix(Self.mostViolations).map(\.json)) }
        for member in extensions where object[member.name] == nil { object[member.name] = member.value }
        return .object(object)
    }

    func bytes(requestID: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(json(requestID: requestID))
        return writer.bytes
    }

    /// A hostile body must not buy an answer many times its size.
    private static let mostViolations = 100
}

/// An error of a context that clients may see, and what they see of it.
package protocol ProblemConvertible: Error {
    var problem: Problem { get }
}

extension Problem: ProblemConvertible {
    package var problem: Problem { self }
}

/// A failure that may have gone by the next attempt, such as a database that can't be reached: answered with 503.
package protocol TransientFailure: Error {
    var retryAfter: Duration { get }
}

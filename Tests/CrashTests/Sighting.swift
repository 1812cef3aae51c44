import DevStack
import Foundation
import TestSupport

/// One record as it lies in a topic.
struct Sighting: Sendable, Decodable {
    struct Content: Sendable, Decodable {
        var tenantId: String?
        var orderId: String?
        var totalMinor: Int?
        var source: String?
        var id: String?
        var subject: String?
    }

    var topic: String
    var partition: Int
    var offset: Int
    var key: String?
    var headers: [String: String?]
    var data: Content?

    private func header(_ name: String) -> String? { headers[name] ?? nil }

    var id: String? { header("ce_id") }
    /// What is the same in all versions that one fact is published in.
    var factID: String? { header("ce_factid") ?? id }
    var tenant: String? { header("ce_tenantid") }
    var sequence: Int? { header("ce_sequence").flatMap { Int($0) } }
    /// The event's name without its version.
    var fact: String? {
        header("ce_type").map { type in
            guard let version = type.range(of: ".v", options: .backwards) else { return type }
            return String(type[..<version.lowerBound])
        }
    }

    var place: String { "\(topic)[\(partition)]@\(offset)" }
}

/// Reads the topics with a program that has nothing of Atrium in it.
struct TopicReader: Sendable {
    let bootstrapServers: String

    static let topics = ["identity.tenant", "orders.order", "billing.invoice", "metering.usage"]

    /// All records from the first to the newest, each partition's in order.
    func records() async throws -> [Sighting] {
        let script = Places.packageRoot.appending(path: "Tests/CrashTests/read_topics.py").path()
        let output = try await Python.run(script: script, [bootstrapServers] + Self.topics)
        guard output.status.isSuccess else {
            throw DevStackError(.programFailed, "The topics could not be read: \(output.errors)")
        }
        let decoder = JSONDecoder()
        return try output.output.split(separator: "\n").map { try decoder.decode(Sighting.self, from: Data($0.utf8)) }
    }
}

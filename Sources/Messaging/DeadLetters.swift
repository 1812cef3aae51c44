package import Foundation
import Kafka
package import Kernel
package import Logging
import Postgres
package import Tenancy

/// The messages that one context gave up on.
package struct DeadLetters: Sendable {
    package let schema: String
    private let dataPlane: DataPlane
    private let role: CrossTenantRole
    private let logger: Logger

    package init(schema: String, dataPlane: DataPlane, logger: Logger) {
        self.schema = schema
        self.dataPlane = dataPlane
        self.logger = logger
        role = .worker(schema)
    }

    func keep(_ letter: DeadLetter) async throws {
        let isNew = try await dataPlane.crossTenant(as: role, reason: "keep a dead letter", logger: logger) {
            try await !$0.rowsWriting(letter.insertion(into: schema)).isEmpty
        }
        guard isNew else { return }
        var metadata: Logger.Metadata = [
            "topic": "\(letter.topic)", "event": "\(letter.eventID ?? "?")", "event_type": "\(letter.eventType ?? "?")",
            "reason": "\(letter.reason)",
        ]
        if let tenant = letter.tenantID { metadata["tenant"] = "\(tenant)" }
        if let correlation = letter.headers.text(CloudEventHeader.correlation).flatMap({ CorrelationID($0) }) {
            metadata["correlation"] = "\(correlation)"
        }
        if let reaction = letter.reaction { metadata["reaction"] = "\(reaction)" }
        logger.error("message set aside as a dead letter", metadata: metadata)
    }

    /// Oldest first; the ones that were replayed only where asked for.
    package func list(tenant: TenantID? = nil, includingReplayed: Bool = false, limit: Int = 100) async throws
        -> [DeadLetter]
    {
        try await select(
            """
            WHERE (\(includingReplayed) OR replayed_at IS NULL) AND (\(tenant)::uuid IS NULL OR tenant_id = \(tenant))
            ORDER BY failed_at, id LIMIT \(limit)
            """)
    }

    package func find(_ id: UUID) async throws -> DeadLetter? {
        try await select("WHERE id = \(id)").first
    }

    private func select(_ condition: SQL) async throws -> [DeadLetter] {
        try await dataPlane.crossTenant(as: role, reason: "read dead letters", logger: logger) {
            try await $0.rows("SELECT \(DeadLetter.columns) FROM \(unsafeSQL: schema).dead_letters \(condition)")
        }.map { try DeadLetter($0) }
    }

    func markReplayed(_ id: UUID) async throws {
        try await dataPlane.crossTenant(as: role, reason: "mark a dead letter as replayed", logger: logger) {
            $0.enqueue("UPDATE \(unsafeSQL: schema).dead_letters SET replayed_at = now() WHERE id = \(id)")
        }
    }
}

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
    private let databases: @Sendable () async throws -> [DatabaseID]
    private let logger: Logger

    /// - Parameter databases: where dead letters are looked for.
    package init(
        schema: String, dataPlane: DataPlane, in databases: @escaping @Sendable () async throws -> [DatabaseID],
        logger: Logger
    ) {
        self.schema = schema
        self.databases = databases
        self.dataPlane = dataPlane
        self.logger = logger
        role = .worker(schema)
    }

    /// Keeps the letter beside its tenant's data, or with the control plane where its tenant is unknown.
    func keep(_ letter: DeadLetter) async throws {
        let database = try await home(of: letter.tenantID)
        let isNew = try await dataPlane.crossTenant(
            in: database, as: role, reason: .once("keep a dead letter"), logger: logger
        ) { try await !$0.rowsWriting(letter.insertion(into: schema)).isEmpty }
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

    private func home(of tenant: TenantID?) async throws -> DatabaseID {
        guard let tenant else { return dataPlane.fleet.control }
        do {
            return try await dataPlane.residence(of: tenant).placement.database
        } catch is UnknownTenant {
            return dataPlane.fleet.control
        }
    }

    /// Oldest first; the ones that were replayed only where asked for.
    package func list(tenant: TenantID? = nil, includingReplayed: Bool = false, limit: Int = 100) async throws
        -> [DeadLetter]
    {
        var letters: [DeadLetter] = []
        for database in try await databases() {
            letters += try await select(
                """
                WHERE (\(includingReplayed) OR replayed_at IS NULL) AND (\(tenant)::uuid IS NULL OR tenant_id = \(tenant))
                ORDER BY failed_at, id LIMIT \(limit)
                """, in: database)
        }
        return Array(letters.sorted { $0.failedAt < $1.failedAt }.prefix(limit))
    }

    package func find(_ id: UUID) async throws -> (letter: DeadLetter, database: DatabaseID)? {
        for database in try await databases() {
            if let letter = try await select("WHERE id = \(id)", in: database).first { return (letter, database) }
        }
        return nil
    }

    private func select(_ condition: SQL, in database: DatabaseID) async throws -> [DeadLetter] {
        try await dataPlane.crossTenant(
            in: database, as: role, reason: .once("read dead letters"), logger: logger
        ) {
            try await $0.rows("SELECT \(DeadLetter.columns) FROM \(unsafeSQL: schema).dead_letters \(condition)")
        }.map { try DeadLetter($0) }
    }

    func markReplayed(_ id: UUID, in database: DatabaseID) async throws {
        try await dataPlane.crossTenant(
            in: database, as: role, reason: .once("mark a dead letter as replayed"), logger: logger
        ) {
            $0.enqueue("UPDATE \(unsafeSQL: schema).dead_letters SET replayed_at = now() WHERE id = \(id)")
        }
    }
}

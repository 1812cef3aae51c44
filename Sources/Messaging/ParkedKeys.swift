package import Kernel
import Logging
import Postgres
package import Tenancy

/// A key whose events wait until the first of them gets through.
package struct ParkedKey: Hashable, Sendable {
    package let key: EventKey
    /// Of the letter that the others wait behind.
    package let kind: DeadLetter.Kind
    package let reaction: String?
    package let reason: String
    package let since: Timestamp
    /// Of the letter whose turn is next; nil where none is left.
    package let next: DeadLetter.Kind?
    /// How many letters of the key are open.
    package let letters: Int
    package let database: DatabaseID
}

/// Parks keys and lets them go again, beside their tenant's data.
///
/// Whoever adds a letter to a parked key holds the key's row while doing so, and whoever lets the key go looks for open
/// letters under the row's lock: none is left behind, and none is added to a key that is no longer parked.
struct ParkedKeys: Sendable {
    let schema: String
    let dataPlane: DataPlane
    let logger: Logger

    enum Outcome: Hashable {
        case parked
        /// The event has taken effect, or lies among the letters already.
        case known
    }

    /// Parks the letter's key with it, in one transaction.
    func park(_ letter: DeadLetter, _ key: EventKey, in database: DatabaseID) async throws -> Outcome {
        try await crossTenant(.once("park a key"), in: database) { transaction in
            let rows = try await transaction.rowsWriting(
                """
                INSERT INTO \(unsafeSQL: schema).parked_keys AS p (tenant_id, topic, key, kind, reaction, reason)
                SELECT \(key.tenantID)::uuid, \(key.topic)::text, \(key.key)::bytea, \(letter.kind.rawValue)::text,
                    \(letter.reaction)::text, \(letter.reason)::text
                WHERE NOT EXISTS (\(letter.taken(in: schema)))
                ON CONFLICT ON CONSTRAINT parked_keys_pkey DO UPDATE SET since = p.since RETURNING true
                """)
            guard !rows.isEmpty else { return .known }
            return try await transaction.rowsWriting(letter.insertionIfNew(into: schema)).isEmpty ? .known : .parked
        }
    }

    /// Adds a letter behind others of its key; false where the key is not parked, so that the event's turn has come.
    func append(_ letter: DeadLetter, to key: EventKey, in database: DatabaseID) async throws -> Bool {
        try await crossTenant(.routine("add an event to a parked key"), in: database) { transaction in
            let rows = try await transaction.rowsWriting(
                """
                SELECT true FROM \(unsafeSQL: schema).parked_keys
                WHERE tenant_id = \(key.tenantID) AND topic = \(key.topic) AND key = \(key.key) FOR SHARE
                """)
            guard !rows.isEmpty else { return false }
            transaction.enqueue(letter.insertionIfNew(into: schema))
            return true
        }
    }

    /// Lets the key go where no letter of it is open; whether it is free now.
    func release(_ key: EventKey, in database: DatabaseID) async throws -> Bool {
        try await crossTenant(.once("let a parked key go"), in: database) { transaction in
            try await lock(key, in: transaction)
            return try await release(key, in: transaction)
        }
    }

    /// Nobody adds a letter to the key, or lets it go, before this transaction ends.
    func lock(_ key: EventKey, in transaction: CrossTenantTransaction) async throws {
        _ = try await transaction.rowsWriting(
            """
            SELECT true FROM \(unsafeSQL: schema).parked_keys
            WHERE tenant_id = \(key.tenantID) AND topic = \(key.topic) AND key = \(key.key) FOR UPDATE
            """)
    }

    /// Behind `lock`: a statement of its own sees what was added while the lock was waited for.
    func release(_ key: EventKey, in transaction: CrossTenantTransaction) async throws -> Bool {
        _ = try await transaction.rowsWriting(
            """
            DELETE FROM \(unsafeSQL: schema).parked_keys p
            WHERE p.tenant_id = \(key.tenantID) AND p.topic = \(key.topic) AND p.key = \(key.key)
                AND NOT EXISTS (
                    SELECT FROM \(unsafeSQL: schema).dead_letters d
                    WHERE d.tenant_id = p.tenant_id AND d.topic = p.topic AND d.key = p.key
                        AND d.resolved_at IS NULL AND NOT d.is_alone)
            RETURNING true
            """)
        return try await transaction.rowsWriting(
            """
            SELECT true FROM \(unsafeSQL: schema).parked_keys
            WHERE tenant_id = \(key.tenantID) AND topic = \(key.topic) AND key = \(key.key)
            """
        ).isEmpty
    }

    func list(
        tenant: TenantID? = nil, kinds: [DeadLetter.Kind] = DeadLetter.Kind.allCases, limit: Int = 1000,
        in database: DatabaseID
    ) async throws -> [ParkedKey] {
        try await crossTenant(.routine("read parked keys"), in: database) { transaction in
            try await transaction.rows(
                """
                SELECT p.tenant_id, p.topic, p.key, p.kind, p.reaction, p.reason, p.since, (
                    SELECT count(*) FROM \(unsafeSQL: schema).dead_letters d
                    WHERE d.tenant_id = p.tenant_id AND d.topic = p.topic AND d.key = p.key
                        AND d.resolved_at IS NULL AND NOT d.is_alone), (
                    SELECT d.kind FROM \(unsafeSQL: schema).dead_letters d
                    WHERE d.tenant_id = p.tenant_id AND d.topic = p.topic AND d.key = p.key
                        AND d.resolved_at IS NULL AND NOT d.is_alone ORDER BY d.place LIMIT 1)
                FROM \(unsafeSQL: schema).parked_keys p
                WHERE (\(tenant)::uuid IS NULL OR p.tenant_id = \(tenant)) AND p.kind = ANY (\(kinds.map(\.rawValue)))
                ORDER BY p.since, p.tenant_id, p.topic, p.key LIMIT \(limit)
                """)
        }.map { row in
            let (tenant, topic, key, kind, reaction, reason, since, letters, next) = try row.decode(
                (TenantID, String, [UInt8], String, String?, String, Timestamp, Int64, String?).self)
            return ParkedKey(
                key: EventKey(tenantID: tenant, topic: topic, key: key),
                kind: DeadLetter.Kind(rawValue: kind) ?? .failed,
                reaction: reaction, reason: reason, since: since, next: next.flatMap { DeadLetter.Kind(rawValue: $0) },
                letters: Int(letters), database: database)
        }
    }

    private func crossTenant<Result>(
        _ reason: CrossTenantReason, in database: DatabaseID,
        _ body: (CrossTenantTransaction) async throws -> Result
    ) async throws -> Result {
        try await dataPlane.crossTenant(
            in: database, as: .worker(schema), reason: reason, logger: logger, body)
    }
}

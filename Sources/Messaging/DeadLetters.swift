import Failpoints
package import Foundation
package import Kernel
package import Logging
import Postgres
package import Tenancy

/// The messages that one context gave up on, and those that wait behind them.
package struct DeadLetters: Sendable {
    package let schema: String
    let dataPlane: DataPlane
    let role: CrossTenantRole
    let databases: @Sendable () async throws -> [DatabaseID]
    let logger: Logger
    let parkedKeys: ParkedKeys

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
        parkedKeys = ParkedKeys(schema: schema, dataPlane: dataPlane, logger: logger)
    }

    // MARK: Keeping

    enum Kept: Hashable {
        /// The letter is kept and its key parked.
        case parked
        /// The letter is kept by itself: it names no aggregate.
        case alone
        case known
    }

    /// Keeps a letter beside its tenant's data, or with the control plane where its tenant is unknown, and parks its key
    /// where it has one.
    func keep(_ letter: DeadLetter) async throws -> Kept {
        let database = try await home(of: letter.tenantID)
        var kept = Kept.alone
        try await Failpoint.reach("park.before-commit")
        if let key = letter.eventKey {
            guard try await parkedKeys.park(letter, key, in: database) == .parked else { return .known }
            kept = .parked
        } else {
            let isNew = try await dataPlane.crossTenant(
                in: database, as: role, reason: .once("keep a dead letter"), logger: logger
            ) { try await !$0.rowsWriting(letter.insertion(into: schema)).isEmpty }
            guard isNew else { return .known }
        }
        try await Failpoint.reach("park.after-commit")
        tell(of: letter, kept)
        return kept
    }

    /// Adds a letter behind the others of its key; false where the key is not parked (any more).
    func append(_ letter: DeadLetter, to key: EventKey) async throws -> Bool {
        try await parkedKeys.append(letter, to: key, in: try await home(of: key.tenantID))
    }

    private func tell(of letter: DeadLetter, _ kept: Kept) {
        var metadata: Logger.Metadata = [
            "topic": "\(letter.topic)", "event": "\(letter.eventID ?? "?")", "event_type": "\(letter.eventType ?? "?")",
            "kind": "\(letter.kind.rawValue)", "reason": "\(letter.reason)",
        ]
        if let tenant = letter.tenantID { metadata["tenant"] = "\(tenant)" }
        if let correlation = letter.headers.text(CloudEventHeader.correlation).flatMap({ CorrelationID($0) }) {
            metadata["correlation"] = "\(correlation)"
        }
        if let reaction = letter.reaction { metadata["reaction"] = "\(reaction)" }
        logger.error(
            kept == .parked ? "message set aside; the events behind it wait" : "message set aside as a dead letter",
            metadata: metadata)
    }

    func home(of tenant: TenantID?) async throws -> DatabaseID {
        guard let tenant, role.schema != "control" else { return dataPlane.fleet.control }
        do {
            return try await dataPlane.residence(of: tenant).placement.database
        } catch is UnknownTenant {
            return dataPlane.fleet.control
        }
    }

    /// Whether a tenant's own parked keys are not in this database.
    func livesElsewhere(_ tenant: TenantID, than database: DatabaseID) async throws -> Bool {
        do {
            return try await dataPlane.residence(of: tenant).placement.database != database
        } catch is UnknownTenant {
            return true
        }
    }

    // MARK: Looking

    package struct Filter: Sendable {
        package var tenant: TenantID?
        package var kind: DeadLetter.Kind?
        package var type: String?
        package var topic: String?
        package var key: [UInt8]?
        package var reaction: String?
        /// Nil shows those that are open and those that are not.
        package var isOpen: Bool? = true
        /// The last letter of the page before.
        package var after: UUID?
        package var limit = 100

        package init() {}
    }

    /// In the order in which they came to lie here, as far as clocks agree.
    package func list(_ filter: Filter = Filter()) async throws -> [DeadLetter] {
        var letters: [DeadLetter] = []
        for database in try await databases() {
            letters += try await select(
                """
                WHERE (\(filter.isOpen)::boolean IS NULL OR (resolved_at IS NULL) = \(filter.isOpen))
                    AND (\(filter.tenant)::uuid IS NULL OR tenant_id = \(filter.tenant))
                    AND (\(filter.kind?.rawValue)::text IS NULL OR kind = \(filter.kind?.rawValue))
                    AND (\(filter.type)::text IS NULL OR event_type = \(filter.type))
                    AND (\(filter.topic)::text IS NULL OR topic = \(filter.topic))
                    AND (\(filter.key)::bytea IS NULL OR key = \(filter.key))
                    AND (\(filter.reaction)::text IS NULL OR reaction = \(filter.reaction))
                    AND (\(filter.after)::uuid IS NULL OR id > \(filter.after))
                ORDER BY id LIMIT \(filter.limit)
                """, in: database
            ).map(\.letter)
        }
        // As PostgreSQL orders them, which is by their bytes: identifiers begin with their time.
        return Array(letters.sorted { EventID($0.id) < EventID($1.id) }.prefix(filter.limit))
    }

    package func show(_ id: UUID) async throws -> DeadLetter? {
        try await find(id)?.letter
    }

    /// Keys whose events wait, oldest first.
    package func parked(tenant: TenantID? = nil, limit: Int = 1000) async throws -> [ParkedKey] {
        var keys: [ParkedKey] = []
        for database in try await databases() {
            keys += try await parkedKeys.list(tenant: tenant, limit: limit, in: database)
        }
        return Array(keys.sorted { $0.since < $1.since }.prefix(limit))
    }

    struct Located: Sendable {
        let letter: DeadLetter
        let database: DatabaseID
    }

    func find(_ id: UUID) async throws -> Located? {
        for database in try await databases() {
            if let found = try await select("WHERE id = \(id)", in: database).first { return found }
        }
        return nil
    }

    /// The open letters of a key, in the order in which they are replayed.
    func open(_ key: EventKey, limit: Int = 1000) async throws -> [Located] {
        var found: [Located] = []
        // Only one whose tenant was unknown for a while has letters in two databases, the older ones with the control plane.
        let control = dataPlane.fleet.control
        let home = try await home(of: key.tenantID)
        for database in home == control ? [control] : [control, home] {
            found += try await select(
                """
                WHERE tenant_id = \(key.tenantID) AND topic = \(key.topic) AND key = \(key.key)
                    AND resolved_at IS NULL AND NOT is_alone ORDER BY place LIMIT \(limit)
                """, in: database, .routine("read a key's dead letters"))
        }
        return found
    }

    private func select(
        _ condition: SQL, in database: DatabaseID, _ reason: CrossTenantReason = .once("read dead letters")
    ) async throws -> [Located] {
        try await crossTenant(reason, in: database) {
            try await $0.rows("SELECT \(DeadLetter.columns) FROM \(unsafeSQL: schema).dead_letters \(condition)")
        }.map { Located(letter: try DeadLetter($0), database: database) }
    }
}

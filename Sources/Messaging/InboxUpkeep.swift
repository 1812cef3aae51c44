import Kernel
package import Logging
import Postgres
import ServiceLifecycle
package import Tenancy

/// Makes the partitions of a context's inboxes some days before they are needed, and drops those whose events can't come
/// again: see `RedeliveryHorizon`. What an open dead letter is of stays as well.
///
/// Many processes may do this beside each other.
package struct InboxUpkeep: Service {
    package static let daysAhead = 3

    private let schema: String
    private let horizon: RedeliveryHorizon
    private let databases: @Sendable () async throws -> [DatabaseID]
    private let dataPlane: DataPlane
    private let interval: Duration
    private let logger: Logger

    package init(
        context role: ContextRole, sources: RedeliveryHorizon.Sources, dataPlane: DataPlane,
        in databases: @escaping @Sendable () async throws -> [DatabaseID], interval: Duration = .seconds(1800),
        logger: Logger
    ) {
        schema = role.schema
        horizon = RedeliveryHorizon(schema: role.schema, sources: sources, dataPlane: dataPlane, logger: logger)
        self.databases = databases
        self.dataPlane = dataPlane
        self.interval = interval
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    _ = try await keep()
                } catch {
                    logger.debug(
                        "upkeep of inboxes is put off", metadata: ["context": "\(schema)", "error": "\(error)"])
                }
                try? await Task.sleep(for: interval * Double.random(in: 0.8...1.2))
            }
        }
    }

    /// Answers the partitions that were dropped; what a lock kept from that has its turn the next time.
    package func keep() async throws -> [String] {
        let databases = try await databases()
        for database in databases {
            try await putOff {
                try await crossTenant("make partitions of the inbox", in: database) {
                    _ = try await $0.rowsWriting("SELECT \(unsafeSQL: schema).extend_inbox(\(Int32(Self.daysAhead)))")
                }
            }
        }
        guard var before = try await horizon.advance() else { return [] }
        // A database that can't be asked may hold a letter: nothing is dropped anywhere then.
        for database in databases {
            if let oldest = try await oldestLetter(in: database) { before = min(before, oldest) }
        }
        var dropped: [String] = []
        for database in databases {
            try await putOff { dropped += try await shorten(database, before) }
        }
        return dropped
    }

    private func shorten(_ database: DatabaseID, _ before: Timestamp) async throws -> [String] {
        var dropped: [String] = []
        // One in each transaction: the lock that keeps writers waiting is held for a moment alone.
        while true {
            let part = try await crossTenant("drop partitions of the inbox", in: database) {
                try await $0.rowsWriting("SELECT \(unsafeSQL: schema).shorten_inbox(\(before)::timestamptz)")[0]
                    .decode(String?.self)
            }
            guard let part else { return dropped }
            dropped.append(part)
            logger.info(
                "partition dropped",
                metadata: ["context": "\(schema)", "database": "\(database)", "partition": "\(part)"])
        }
    }

    /// The time that the identifier of the oldest open letter begins with.
    private func oldestLetter(in database: DatabaseID) async throws -> Timestamp? {
        let oldest = try await crossTenant("look for open dead letters", in: database) {
            try await $0.rows(
                """
                SELECT fact_id FROM \(unsafeSQL: schema).dead_letters
                WHERE resolved_at IS NULL AND fact_id IS NOT NULL AND direction = 'incoming' ORDER BY fact_id LIMIT 1
                """
            ).first?.decode(EventID.self)
        }
        return oldest?.madeAt
    }

    private func putOff(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as PostgresError where error.sqlState == "55P03" {
            logger.debug("a lock did not come at once", metadata: ["context": "\(schema)"])
        }
    }

    private func crossTenant<Result>(
        _ reason: StaticString, in database: DatabaseID,
        _ body: (CrossTenantTransaction) async throws -> Result
    ) async throws -> Result {
        try await dataPlane.crossTenant(
            in: database, as: .worker(schema), reason: .routine(reason), logger: logger, body)
    }
}

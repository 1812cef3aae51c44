package import Logging
import Postgres
import ServiceLifecycle
package import Tenancy

/// Makes the partitions of outboxes some days before they are needed, and drops those that are wholly published and
/// older than the retention.
///
/// Both take locks that writers would have to wait for, so each gives up at once where it would have to wait itself,
/// and is tried again. Many processes may do this beside each other.
package struct OutboxUpkeep: Service {
    /// How many days ahead there are partitions. Where upkeep was away for longer, the default partition takes what
    /// comes.
    package static let daysAhead = 3

    private let schemas: [String]
    private let databases: @Sendable (_ schema: String) async throws -> [DatabaseID]
    private let dataPlane: DataPlane
    private let retention: Duration
    private let interval: Duration
    private let logger: Logger

    /// - Parameters:
    ///   - databases: where the outbox of a schema is.
    ///   - retention: how long a partition is kept after its day is over.
    package init(
        schemas: [String], dataPlane: DataPlane,
        in databases: @escaping @Sendable (_ schema: String) async throws -> [DatabaseID], retention: Duration,
        interval: Duration = .seconds(1800), logger: Logger
    ) {
        self.schemas = schemas
        self.databases = databases
        self.dataPlane = dataPlane
        self.retention = retention
        self.interval = interval
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // Processes that were started together do not stay together.
                let isDone = await keepAll()
                try? await Task.sleep(
                    for: (isDone ? interval : min(interval, .seconds(60))) * Double.random(in: 0.8...1.2))
            }
        }
    }

    /// Answers whether nothing had to be put off.
    private func keepAll() async -> Bool {
        var isDone = true
        for schema in schemas {
            do {
                for database in try await databases(schema) {
                    try Task.checkCancellation()
                    do {
                        _ = try await keep(schema, in: database)
                    } catch {
                        isDone = false
                        logger.debug(
                            "upkeep of an outbox is put off",
                            metadata: ["context": "\(schema)", "database": "\(database)", "error": "\(error)"])
                    }
                }
            } catch {
                isDone = false
            }
        }
        return isDone
    }

    /// Answers the partitions that were dropped; throws where a lock did not come at once.
    package func keep(_ schema: String, in database: DatabaseID) async throws -> [String] {
        let role = CrossTenantRole.worker(schema)
        let made = try await dataPlane.crossTenant(
            in: database, as: role, reason: .routine("make partitions of the outbox"), logger: logger,
            flight: [Statement("SELECT \(unsafeSQL: schema).extend_outbox(\(Int32(Self.daysAhead)))")])[0][0].decode(
                Int32.self)
        if made > 0 {
            logger.debug("partitions made", metadata: ["context": "\(schema)", "partitions": "\(made)"])
        }
        var dropped: [String] = []
        // One in each transaction: the lock that keeps writers waiting is held for a moment alone.
        while true {
            let rows = try await dataPlane.crossTenant(
                in: database, as: role, reason: .routine("drop partitions of the outbox"), logger: logger,
                flight: [
                    Statement(
                        "SELECT \(unsafeSQL: schema).shorten_outbox(\(retention / .seconds(1)) * interval '1 second')")
                ])[0]
            guard let partition = try rows[0].decode(String?.self) else { return dropped }
            logger.info(
                "partition dropped",
                metadata: ["context": "\(schema)", "database": "\(database)", "partition": "\(partition)"])
            dropped.append(partition)
        }
    }
}

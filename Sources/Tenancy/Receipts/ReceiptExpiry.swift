package import Kernel
package import Logging
import Postgres
import ServiceLifecycle

/// Deletes receipts once the time is over in which a client may repeat its request.
package struct ReceiptExpiry: Service {
    /// How long a receipt is kept, as the API's description promises.
    package static let retention = Duration.seconds(24 * 3600)

    private let dataPlane: DataPlane
    private let databases: @Sendable () async throws -> [DatabaseID]
    private let tables: [Table]
    private let interval: Duration
    private let logger: Logger

    /// - Parameters:
    ///   - schemas: of the contexts whose receipts are looked after.
    ///   - databases: where those contexts are.
    package init(
        schemas: [String], dataPlane: DataPlane, in databases: @escaping @Sendable () async throws -> [DatabaseID],
        interval: Duration = .seconds(600), logger: Logger
    ) {
        tables = schemas.flatMap { schema in
            [Table(schema: schema, name: "receipts", key: "tenant_id, key")]
                // The operator's receipts belong to no tenant.
                + (schema == "control" ? [Table(schema: schema, name: "operator_receipts", key: "key")] : [])
        }
        self.dataPlane = dataPlane
        self.databases = databases
        self.interval = interval
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    _ = try await deleteExpired(at: WallClock.system.now())
                } catch {
                    guard !Task.isCancelled else { return }
                    logger.warning("expired receipts stay until the next round", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Deletes in small portions, so that no lock lasts; answers how many went.
    package func deleteExpired(at now: Timestamp) async throws -> Int {
        var deleted = 0
        for database in try await databases() {
            // The control plane's receipts are in its own database alone.
            for table in tables where table.schema != "control" || database == dataPlane.fleet.control {
                deleted += try await deleteExpired(
                    from: table, in: database, before: now.advanced(by: .zero - Self.retention))
            }
        }
        return deleted
    }

    private struct Table: Sendable {
        let schema: String
        let name: String
        let key: String
    }

    private func deleteExpired(from table: Table, in database: DatabaseID, before: Timestamp) async throws -> Int {
        var deleted = 0
        while true {
            let portion = try await dataPlane.crossTenant(
                in: database, as: .worker(table.schema), reason: .routine("delete expired receipts"), logger: logger
            ) {
                try await $0.rowsWriting(
                    """
                    DELETE FROM \(unsafeSQL: table.schema).\(unsafeSQL: table.name)
                    WHERE (\(unsafeSQL: table.key)) IN (
                        SELECT \(unsafeSQL: table.key) FROM \(unsafeSQL: table.schema).\(unsafeSQL: table.name)
                        WHERE created_at < \(before) LIMIT 1000)
                    RETURNING true
                    """
                ).count
            }
            deleted += portion
            if portion < 1000 { return deleted }
        }
    }
}

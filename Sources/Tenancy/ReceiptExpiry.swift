package import Kernel
package import Logging
import Postgres
import ServiceLifecycle

/// Deletes receipts once the time is over in which a client may repeat its request.
package struct ReceiptExpiry: Service {
    /// How long a receipt is kept, as the API's description promises.
    package static let retention = Duration.seconds(24 * 3600)

    private let dataPlane: DataPlane
    private let tables: [Table]
    private let interval: Duration
    private let logger: Logger

    /// - Parameter schemas: of the contexts whose receipts are looked after.
    package init(schemas: [String], dataPlane: DataPlane, interval: Duration = .seconds(600), logger: Logger) {
        tables = schemas.flatMap { schema in
            [Table(schema: schema, name: "receipts", key: "tenant_id, key")]
                // The operator's receipts belong to no tenant.
                + (schema == "identity" ? [Table(schema: schema, name: "operator_receipts", key: "key")] : [])
        }
        self.dataPlane = dataPlane
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
        for table in tables {
            deleted += try await deleteExpired(from: table, before: now.advanced(by: .zero - Self.retention))
        }
        return deleted
    }

    private struct Table: Sendable {
        let schema: String
        let name: String
        let key: String
    }

    private func deleteExpired(from table: Table, before: Timestamp) async throws -> Int {
        var deleted = 0
        while true {
            let portion = try await dataPlane.crossTenant(
                as: .worker(table.schema), reason: "delete expired receipts", logger: logger
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

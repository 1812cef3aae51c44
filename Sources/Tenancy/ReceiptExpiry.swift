package import Kernel
package import Logging
import Postgres
import ServiceLifecycle

/// Deletes receipts once the time is over in which a client may repeat its request.
package struct ReceiptExpiry: Service {
    /// How long a receipt is kept, as the API's description promises.
    package static let retention = Duration.seconds(24 * 3600)

    private let dataPlane: DataPlane
    private let schemas: [String]
    private let interval: Duration
    private let logger: Logger

    package init(schemas: [String], dataPlane: DataPlane, interval: Duration = .seconds(600), logger: Logger) {
        self.schemas = schemas
        self.dataPlane = dataPlane
        self.interval = interval
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                for schema in schemas {
                    do {
                        _ = try await deleteExpired(in: schema, at: WallClock.system.now())
                    } catch {
                        logger.warning(
                            "expired receipts stay until the next round",
                            metadata: ["context": "\(schema)", "error": "\(error)"])
                    }
                }
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Deletes in small portions, so that no lock lasts; answers how many went.
    package func deleteExpired(in schema: String, at now: Timestamp) async throws -> Int {
        let before = now.advanced(by: .zero - Self.retention)
        var deleted = 0
        while true {
            let portion = try await dataPlane.crossTenant(
                as: .worker(schema), reason: "delete expired receipts", logger: logger
            ) {
                try await $0.rowsWriting(
                    """
                    DELETE FROM \(unsafeSQL: schema).receipts WHERE (tenant_id, key) IN
                    (SELECT tenant_id, key FROM \(unsafeSQL: schema).receipts WHERE created_at < \(before) LIMIT 1000)
                    RETURNING true
                    """
                ).count
            }
            deleted += portion
            if portion < 1000 { return deleted }
        }
    }
}

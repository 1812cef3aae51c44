import Foundation
package import Logging
import Postgres
package import Tenancy

/// Keeps every relay from publishing an outbox for a while, so that the ends of the topics stand still.
///
/// It takes the shards away as another relay would. One that is at work notices within its lease; what it has handed to
/// the broker by then may still arrive. A hold whose process dies runs out.
package struct RelayHold: Sendable {
    private let schema: String
    private let dataPlane: DataPlane
    private let logger: Logger
    private let owner = UUID()

    package init(schema: String, dataPlane: DataPlane, logger: Logger) {
        self.schema = schema
        self.dataPlane = dataPlane
        self.logger = logger
    }

    package func take(in database: DatabaseID, for duration: Duration) async throws {
        try await crossTenant(.once("hold the relays"), in: database) {
            """
            UPDATE \(unsafeSQL: schema).outbox_cursor
            SET owner = \(owner), lease_until = clock_timestamp() + \(duration / .seconds(1)) * interval '1 second'
            """
        }
    }

    package func letGo(in database: DatabaseID) async throws {
        try await crossTenant(.once("let the relays go on"), in: database) {
            """
            UPDATE \(unsafeSQL: schema).outbox_cursor SET owner = NULL, lease_until = '-infinity'
            WHERE owner = \(owner)
            """
        }
    }

    private func crossTenant(
        _ reason: CrossTenantReason, in database: DatabaseID, _ statement: () -> SQL
    ) async throws {
        _ = try await dataPlane.crossTenant(
            in: database, as: .worker(schema), reason: reason, logger: logger,
            flight: ["SELECT shard FROM \(unsafeSQL: schema).outbox_cursor ORDER BY shard FOR UPDATE", statement()])
    }
}

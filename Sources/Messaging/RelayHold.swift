import Foundation
package import Kernel
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

    /// - Throws: `RelaysHeld` where somebody else holds them.
    package func take(in database: DatabaseID, for duration: Duration) async throws {
        try await withCursors(.once("hold the relays"), in: database) { transaction in
            try await Self.refuseOthers(in: transaction, schema, database)
            set(duration, in: transaction)
        }
    }

    /// Has the hold last so long from now on.
    ///
    /// - Throws: `HoldLost` where it has run out: relays may have published since.
    package func renew(in database: DatabaseID, for duration: Duration) async throws {
        try await withCursors(.once("go on holding the relays"), in: database) { transaction in
            try await insist(in: transaction, database)
            set(duration, in: transaction)
        }
    }

    package func letGo(in database: DatabaseID) async throws {
        try await withCursors(.once("let the relays go on"), in: database) { transaction in
            transaction.enqueue(
                """
                UPDATE \(unsafeSQL: schema).outbox_cursor SET owner = NULL, lease_until = '-infinity'
                WHERE owner = \(owner)
                """)
        }
    }

    // MARK: Under the cursors' locks

    /// A relay has registered beside the cursors, which a hold has not.
    static func refuseOthers(
        in transaction: CrossTenantTransaction, _ schema: String, _ database: DatabaseID
    ) async throws {
        let until = try await transaction.rowsWriting(
            """
            SELECT max(c.lease_until) FROM \(unsafeSQL: schema).outbox_cursor c
            WHERE c.owner IS NOT NULL AND c.lease_until > clock_timestamp() AND NOT EXISTS (
                SELECT FROM \(unsafeSQL: schema).outbox_relays r WHERE r.owner = c.owner)
            """)[0].decode(Timestamp?.self)
        if let until { throw RelaysHeld(schema: schema, database: database, until: until) }
    }

    func insist(in transaction: CrossTenantTransaction, _ database: DatabaseID) async throws {
        let isWhole = try await transaction.rowsWriting(
            """
            SELECT bool_and(owner IS NOT DISTINCT FROM \(owner) AND lease_until > clock_timestamp())
            FROM \(unsafeSQL: schema).outbox_cursor
            """)[0].decode(Bool.self)
        guard isWhole else { throw HoldLost(schema: schema, database: database) }
    }

    private func set(_ duration: Duration, in transaction: CrossTenantTransaction) {
        transaction.enqueue(
            """
            UPDATE \(unsafeSQL: schema).outbox_cursor
            SET owner = \(owner), lease_until = clock_timestamp() + \(duration / .seconds(1)) * interval '1 second'
            """)
    }

    private func withCursors(
        _ reason: CrossTenantReason, in database: DatabaseID, _ body: (CrossTenantTransaction) async throws -> Void
    ) async throws {
        try await dataPlane.crossTenant(
            in: database, as: .worker(schema), reason: reason, logger: logger
        ) { transaction in
            _ = try await transaction.rowsWriting(
                "SELECT shard FROM \(unsafeSQL: schema).outbox_cursor ORDER BY shard FOR UPDATE")
            try await body(transaction)
        }
    }
}

/// Somebody else keeps the relays of an outbox from publishing.
package struct RelaysHeld: Error, Hashable, CustomStringConvertible {
    package let schema: String
    package let database: DatabaseID
    package let until: Timestamp

    package var description: String {
        """
        another refill is at work on \(schema) in \(database); run this again when it has ended, or after \(until) where \
        it was cut off
        """
    }
}

/// A hold ran out before what it was taken for was done.
package struct HoldLost: Error, Hashable, CustomStringConvertible {
    package let schema: String
    package let database: DatabaseID

    package var description: String {
        "the relays of \(schema) in \(database) have gone on meanwhile, so the order would not hold; run this again"
    }
}

import Foundation
package import Kernel
package import Logging
import Postgres
package import Tenancy

/// Has a span of an outbox be published again, in order, by whichever relays are at work.
///
/// The cursors are moved back under the locks that relays take, and their leases with them: a relay that was at work
/// finds its lease gone, and begins where the cursor is now.
package struct RelayRewind: Sendable {
    /// From where on events are published again.
    package enum Start: Sendable {
        case recorded(Timestamp)
        case event(EventID)
    }

    package struct Outcome: Hashable, Sendable {
        /// How many shards were moved back; the others had not come that far.
        package let shards: Int
    }

    private let schema: String
    private let dataPlane: DataPlane
    private let logger: Logger

    package init(schema: String, dataPlane: DataPlane, logger: Logger) {
        self.schema = schema
        self.dataPlane = dataPlane
        self.logger = logger
    }

    /// From when on every event is still held; `nil` where none has ever been dropped.
    package func oldestHeld(in database: DatabaseID) async throws -> Timestamp? {
        try await dataPlane.crossTenant(
            in: database, as: .worker(schema), reason: .once("look how far back the outbox goes"), logger: logger,
            flight: [Statement(Self.oldest(schema))])[0][0].decode(Timestamp?.self)
    }

    /// - Parameter hold: what keeps the relays still, which then lasts on; without one they begin at once.
    /// - Throws: `SpanDropped`, `EventNotHeld`, or `HoldLost` and `RelaysHeld`, with everything as it was.
    package func rewind(
        to start: Start, in database: DatabaseID, under hold: RelayHold? = nil
    ) async throws -> Outcome {
        try await dataPlane.crossTenant(
            in: database, as: .worker(schema), reason: .once("publish events again"), logger: logger
        ) { transaction in
            // Keeps what is still held from being dropped, too.
            _ = try await transaction.rowsWriting(
                "SELECT shard FROM \(unsafeSQL: schema).outbox_cursor ORDER BY shard FOR UPDATE")
            if let hold {
                try await hold.insist(in: transaction, database)
            } else {
                try await RelayHold.refuseOthers(in: transaction, schema, database)
            }
            let oldest = try await transaction.rowsWriting(Self.oldest(schema))[0].decode(Timestamp?.self)
            let targets: SQL
            switch start {
            case .recorded(let time):
                if let oldest, time < oldest { throw SpanDropped(oldest: oldest) }
                targets = """
                    SELECT c.shard, f.transaction_id, f.position FROM \(unsafeSQL: schema).outbox_cursor c
                    CROSS JOIN LATERAL (
                        SELECT o.transaction_id, o.position FROM \(unsafeSQL: schema).outbox o
                        WHERE o.shard = c.shard AND o.recorded_at >= \(time)
                        ORDER BY o.transaction_id, o.position LIMIT 1) f
                    """
            case .event(let event):
                let found = try await transaction.rowsWriting(
                    """
                    SELECT transaction_id::text, position FROM \(unsafeSQL: schema).outbox WHERE event_id = \(event)
                    """)
                guard let row = found.first else { throw EventNotHeld(event: event) }
                let (transactionID, position) = try row.decode((String, Int64).self)
                targets = """
                    SELECT shard, \(transactionID)::text::xid8 AS transaction_id, \(position)::bigint AS position
                    FROM \(unsafeSQL: schema).outbox_cursor
                    """
            }
            return Outcome(shards: try await transaction.rowsWriting(moving(to: targets, isHeld: hold != nil)).count)
        }
    }

    /// A lane that ends goes with the others again, from where the lane had come to.
    private func moving(to targets: SQL, isHeld: Bool) -> SQL {
        """
        UPDATE \(unsafeSQL: schema).outbox_cursor c
        SET transaction_id = b.transaction_id, position = b.position, lanes = '[]', published_before = '-infinity',
            owner = CASE WHEN \(isHeld) THEN c.owner END,
            lease_until = CASE WHEN \(isHeld) THEN c.lease_until ELSE '-infinity' END
        FROM (
            SELECT DISTINCT ON (shard) shard, transaction_id, position FROM (
                SELECT shard, transaction_id, position - 1 AS position FROM (\(targets)) AS t
                UNION ALL
                SELECT k.shard, l.transaction::xid8, l.position
                FROM \(unsafeSQL: schema).outbox_cursor k CROSS JOIN jsonb_to_recordset(k.lanes)
                    AS l (transaction text, position bigint)) AS places
            ORDER BY shard, transaction_id, position) AS b
        WHERE b.shard = c.shard AND EXISTS (
            SELECT FROM (\(targets)) AS t
            WHERE t.shard = c.shard AND (t.transaction_id, t.position) <= (c.transaction_id, c.position))
        RETURNING c.shard
        """
    }

    private static func oldest(_ schema: String) -> SQL {
        "SELECT max(recorded_to) FROM \(unsafeSQL: schema).outbox_drops"
    }
}

/// Part of what was to be published again has been dropped.
package struct SpanDropped: Error, Hashable, CustomStringConvertible {
    package let oldest: Timestamp

    package var description: String { "events recorded before \(oldest) are no longer held" }
}

/// The outbox has no such event, or no longer has it.
package struct EventNotHeld: Error, Hashable, CustomStringConvertible {
    package let event: EventID

    package var description: String { "the outbox does not hold the event \(event)" }
}

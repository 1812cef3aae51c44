import Foundation
package import Kernel
package import Logging
import Postgres
package import Tenancy

/// Before when no event was recorded that could come again.
///
/// An event comes again from the outbox of its source, from an outgoing dead letter that is replayed, or from what the
/// broker still holds. So: at some time somebody looked, and nothing in any source's outbox or letters was from before
/// T; by now the broker holds nothing from before that look. Then everything from before T has been delivered for the
/// last time. Nothing is concluded from clocks alone.
package struct RedeliveryHorizon: Sendable {
    /// What can be asked of the world outside the context.
    package struct Sources: Sendable {
        /// The oldest event, by the time it was recorded, in all outboxes that the context hears from and among the
        /// letters that they could not publish; now where there is none.
        let oldestHeld: @Sendable () async throws -> Timestamp
        /// Whether the broker holds nothing from before a time of what the context reads, and its group is behind that.
        let brokerHasOutlived: @Sendable (Timestamp) async throws -> Bool

        package init(
            oldestHeld: @escaping @Sendable () async throws -> Timestamp,
            brokerHasOutlived: @escaping @Sendable (Timestamp) async throws -> Bool
        ) {
            self.oldestHeld = oldestHeld
            self.brokerHasOutlived = brokerHasOutlived
        }
    }

    /// Identifiers are made before their event is recorded, and clocks differ.
    static let margin = Duration.seconds(2 * 86_400)
    /// What a relay had read when its partition was dropped may be on its way for a moment.
    static let flight = Duration.seconds(3600)

    let schema: String
    let sources: Sources
    let dataPlane: DataPlane
    let logger: Logger

    /// Looks at the sources, and answers how far the horizon has come by now.
    func advance() async throws -> Timestamp? {
        let recordedBefore = try await sources.oldestHeld()
        let looks = try await crossTenant { transaction in
            _ = try await transaction.rowsWriting(
                """
                INSERT INTO \(unsafeSQL: schema).inbox_horizons (observed_at, recorded_before)
                SELECT clock_timestamp(), \(recordedBefore)::timestamptz WHERE NOT EXISTS (
                    SELECT FROM \(unsafeSQL: schema).inbox_horizons
                    WHERE recorded_before > \(recordedBefore)::timestamptz - interval '6 hours') RETURNING true
                """)
            return try await transaction.rowsWriting(
                """
                SELECT observed_at, recorded_before FROM \(unsafeSQL: schema).inbox_horizons
                ORDER BY observed_at
                """
            ).map { try $0.decode((Timestamp, Timestamp).self) }
        }
        // What the broker has outlived, it has outlived all of that came before.
        var (known, unknown) = (-1, looks.count)
        while unknown - known > 1 {
            let middle = (known + unknown) / 2
            if try await sources.brokerHasOutlived(looks[middle].0.advanced(by: Self.flight)) {
                known = middle
            } else {
                unknown = middle
            }
        }
        guard known >= 0 else { return nil }
        let passed = looks[known]
        try await crossTenant {
            $0.enqueue("DELETE FROM \(unsafeSQL: schema).inbox_horizons WHERE observed_at < \(passed.0)")
        }
        return passed.1.advanced(by: .zero - Self.margin)
    }

    private func crossTenant<Result>(_ body: (CrossTenantTransaction) async throws -> Result) async throws -> Result {
        try await dataPlane.crossTenant(
            in: dataPlane.fleet.control, as: .worker(schema), reason: .routine("find the redelivery horizon"),
            logger: logger, body)
    }
}

/// How far back an outbox goes.
package struct OutboxReach: Sendable {
    private let schema: String
    private let dataPlane: DataPlane
    private let logger: Logger

    package init(schema: String, dataPlane: DataPlane, logger: Logger) {
        self.schema = schema
        self.dataPlane = dataPlane
        self.logger = logger
    }

    /// No event that can still be published from here was recorded before; the partitions' bounds say so, without a
    /// look at their rows.
    ///
    /// A letter that the broker refused counts while it is open. Its fact may have been taken in all the same: told in
    /// another version, published anew from the outbox, or by a replay that was cut off before it closed the letter.
    package func oldest(in database: DatabaseID) async throws -> Timestamp {
        let (held, letter) = try await dataPlane.crossTenant(
            in: database, as: .worker(schema), reason: .routine("look how far back the outbox goes"), logger: logger
        ) {
            // At one moment: an event whose day is dropped lies among the letters by then.
            try await $0.rows(
                """
                WITH first AS MATERIALIZED (
                    SELECT min(to_date(right(c.relname, 8), 'YYYYMMDD'))::timestamp AT TIME ZONE 'UTC' AS day
                    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                    WHERE i.inhparent = \("\(schema).outbox")::text::regclass AND c.relname ~ '^outbox_[0-9]{8}$')
                SELECT coalesce(least((SELECT day FROM first), (
                    SELECT min(recorded_at) FROM \(unsafeSQL: schema).outbox
                    WHERE recorded_at < coalesce((SELECT day FROM first), 'infinity'))), now()), (
                        SELECT fact_id FROM \(unsafeSQL: schema).dead_letters
                        WHERE resolved_at IS NULL AND fact_id IS NOT NULL AND direction = 'outgoing'
                        ORDER BY fact_id LIMIT 1)
                """)[0].decode((Timestamp, EventID?).self)
        }
        return letter.map { min(held, $0.madeAt) } ?? held
    }
}

extension EventID {
    /// The time that an identifier of version 7 begins with.
    var madeAt: Timestamp {
        let milliseconds = withUnsafeBytes(of: uuid.uuid) { $0.prefix(6).reduce(Int64(0)) { $0 << 8 | Int64($1) } }
        return Timestamp(microsecondsSinceEpoch: milliseconds * 1000)
    }
}

import Foundation
import Kernel
import Postgres

/// What a relay says to the database that its outbox is in.
struct RelayStatements: Sendable {
    /// How many shards an outbox has: as its column `shard` is made.
    static let shards = 8

    let schema: String
    /// The process, to the others.
    let owner: UUID
    let lease: Duration

    private var leaseSeconds: Double { lease / .seconds(1) }

    // MARK: The right to publish

    /// Keeps the order in which shards are locked the same everywhere: goes down before anything that changes one.
    var lock: SQL { "SELECT shard FROM \(unsafeSQL: schema).outbox_cursor ORDER BY shard FOR UPDATE" }

    /// Tells the others that this process is there.
    var register: SQL {
        """
        INSERT INTO \(unsafeSQL: schema).outbox_relays AS r (owner, seen_until)
        VALUES (\(owner), clock_timestamp() + \(leaseSeconds) * interval '1 second')
        ON CONFLICT (owner) DO UPDATE SET seen_until = excluded.seen_until
        """
    }

    var forgetTheDead: SQL {
        "DELETE FROM \(unsafeSQL: schema).outbox_relays WHERE seen_until < clock_timestamp() - interval '1 minute'"
    }

    /// Renews what this process holds, gives some back, and takes free ones until it has its share; answers what it holds.
    func renew(giving given: [Int16]) -> SQL {
        """
        WITH members AS (
            SELECT greatest(count(*), 1) AS count FROM \(unsafeSQL: schema).outbox_relays
            WHERE seen_until >= clock_timestamp()),
        mine AS (
            SELECT shard FROM \(unsafeSQL: schema).outbox_cursor
            WHERE owner = \(owner) AND shard <> ALL (\(given)::smallint[])),
        taken AS (
            SELECT shard FROM \(unsafeSQL: schema).outbox_cursor
            WHERE (owner IS NULL OR lease_until < clock_timestamp()) AND owner IS DISTINCT FROM \(owner)
            ORDER BY shard
            LIMIT greatest(0, (\(Self.shards) + (SELECT count FROM members) - 1) / (SELECT count FROM members)
                - (SELECT count(*) FROM mine))),
        held AS (SELECT shard FROM mine UNION ALL SELECT shard FROM taken),
        changed AS (
            UPDATE \(unsafeSQL: schema).outbox_cursor c
            SET owner = CASE WHEN h.shard IS NOT NULL THEN \(owner)::uuid END,
                lease_until = CASE WHEN h.shard IS NOT NULL
                    THEN clock_timestamp() + \(leaseSeconds) * interval '1 second' ELSE '-infinity' END
            FROM \(unsafeSQL: schema).outbox_cursor o LEFT JOIN held h ON h.shard = o.shard
            WHERE o.shard = c.shard AND (h.shard IS NOT NULL OR c.owner = \(owner))
            RETURNING o.owner IS NOT DISTINCT FROM c.owner AS is_kept, c.shard, c.owner, c.transaction_id, c.position, c.lanes, c.published_before)
        SELECT m.count, c.is_kept, c.shard, c.transaction_id::text, c.position, c.lanes::text,
            nullif(c.published_before, '-infinity')
        FROM members m LEFT JOIN changed c ON c.owner IS NOT NULL
        """
    }

    var release: [SQL] {
        [
            """
            UPDATE \(unsafeSQL: schema).outbox_cursor SET owner = NULL, lease_until = '-infinity'
            WHERE owner = \(owner)
            """,
            "DELETE FROM \(unsafeSQL: schema).outbox_relays WHERE owner = \(owner)",
        ]
    }

    // MARK: Where publishing has come to

    /// Moves cursors on; answers the shards whose lease this process still has.
    func save(_ progress: [ShardProgress]) throws -> SQL {
        let lanes = try progress.map { try $0.position.storedLanes }
        return """
            UPDATE \(unsafeSQL: schema).outbox_cursor c
            SET transaction_id = n.transaction_id::xid8, position = n.position, lanes = n.lanes::jsonb,
                published_before = greatest(c.published_before, n.published_before),
                lease_until = clock_timestamp() + \(leaseSeconds) * interval '1 second'
            FROM unnest(\(progress.map(\.shard)), \(progress.map { String($0.position.main.transactionID) }),
                \(progress.map(\.position.main.position)), \(lanes), \(progress.map(\.publishedBefore)))
                AS n (shard, transaction_id, position, lanes, published_before)
            WHERE c.shard = n.shard AND c.owner = \(owner)
            RETURNING c.shard
            """
    }

    /// Undoes the whole transaction unless this process still has the lease of these shards.
    func insist(on shards: [Int16]) -> SQL {
        """
        SELECT platform.require_one((
            SELECT count(*) / \(shards.count) FROM \(unsafeSQL: schema).outbox_cursor
            WHERE owner = \(owner) AND shard = ANY (\(shards)::smallint[])))
        """
    }

    // MARK: What there is to publish

    /// Before a day's partition has been analyzed, the planner takes a shard for a handful of rows and would fetch and sort
    /// all of it for each page. Holds for the transaction.
    var byIndex: [Statement] {
        [
            Statement("SET LOCAL enable_bitmapscan = off", isLocal: true),
            Statement("SET LOCAL enable_seqscan = off", isLocal: true),
        ]
    }

    private static let horizon: SQL = "pg_snapshot_xmin(pg_current_snapshot())"

    private func floor(_ floor: Timestamp?) -> SQL { "o.recorded_at >= coalesce(\(floor)::timestamptz, '-infinity')" }

    /// Every transaction before the first number has ended, none has begun from the second on; the time; and whether
    /// there are events that wait for a transaction to end.
    func horizon(of shards: [Int16], from published: Timestamp?) -> SQL {
        """
        SELECT \(Self.horizon)::text, pg_snapshot_xmax(pg_current_snapshot())::text, clock_timestamp(), EXISTS (
            SELECT FROM unnest(\(shards)) AS m (shard)
            CROSS JOIN LATERAL (
                SELECT FROM \(unsafeSQL: schema).outbox o
                WHERE o.shard = m.shard AND o.transaction_id >= \(Self.horizon) AND \(floor(published))
                ORDER BY o.transaction_id, o.position LIMIT 1) AS o)
        """
    }

    /// Of each shard the last event of the window, where there are that many.
    func windowEnds(_ readings: [ShardReading], from published: Timestamp?, _ limits: ShardLimits) -> SQL {
        """
        SELECT m.shard, e.transaction_id::text, e.position
        FROM unnest(\(readings.map(\.shard)), \(readings.map { String($0.from.main.transactionID) }),
            \(readings.map(\.from.main.position))) AS m (shard, transaction_id, position)
        CROSS JOIN LATERAL (
            SELECT o.transaction_id, o.position FROM \(unsafeSQL: schema).outbox o
            WHERE o.shard = m.shard AND (o.transaction_id, o.position) > (m.transaction_id::xid8, m.position)
                AND o.transaction_id < \(Self.horizon) AND \(floor(published))
            ORDER BY o.transaction_id, o.position OFFSET \(limits.window - 1) LIMIT 1) e
        """
    }

    /// Of each shard a page of what has no lane, as it comes in the window.
    func page(_ readings: [ShardReading], from published: Timestamp?, _ limits: ShardLimits) -> SQL {
        let lanes = readings.flatMap { reading in reading.from.lanes.map { (shard: reading.shard, lane: $0) } }
        // What is behind the end of a lane that is closed is read with the others.
        let ends = lanes.map { $0.lane.isClosed ? $0.lane.position : OutboxPosition(transactionID: .max, position: 0) }
        let behind: SQL = """
            SELECT o.* FROM \(unsafeSQL: schema).outbox o
            WHERE o.shard = m.shard AND (o.transaction_id, o.position) > (m.transaction_id::xid8, m.position)
                AND o.transaction_id < \(Self.horizon) AND \(floor(published))
            ORDER BY o.transaction_id, o.position
            """
        let others: SQL = """
            SELECT w.* FROM (\(behind) LIMIT \(limits.window)) w
            WHERE NOT EXISTS (
                SELECT FROM unnest(\(lanes.map(\.shard)), \(lanes.map(\.lane.tenant)),
                    \(ends.map { String($0.transactionID) }), \(ends.map(\.position)))
                    AS l (shard, tenant_id, transaction_id, position)
                WHERE l.shard = m.shard AND l.tenant_id = w.tenant_id
                    AND (w.transaction_id, w.position) <= (l.transaction_id::xid8, l.position))
            ORDER BY w.transaction_id, w.position
            """
        return """
            SELECT \(OutboxRow.columns)
            FROM unnest(\(readings.map(\.shard)), \(readings.map { String($0.from.main.transactionID) }),
                \(readings.map(\.from.main.position))) AS m (shard, transaction_id, position)
            CROSS JOIN LATERAL (\(lanes.isEmpty ? behind : others) LIMIT \(limits.page)) o
            """
    }

    /// Of each lane that has its turn, what comes next in it.
    func lanes(_ readings: [ShardReading], from published: Timestamp?) -> SQL {
        let turns = readings.flatMap { reading in
            reading.turns.map { (shard: reading.shard, lane: $0, limit: reading.laneLimit) }
        }
        return """
            SELECT \(OutboxRow.columns)
            FROM unnest(\(turns.map(\.shard)), \(turns.map(\.lane.tenant)),
                \(turns.map { String($0.lane.position.transactionID) }), \(turns.map(\.lane.position.position)),
                \(turns.map(\.limit))) AS l (shard, tenant_id, transaction_id, position, most)
            CROSS JOIN LATERAL (
                SELECT o.* FROM \(unsafeSQL: schema).outbox o
                WHERE o.tenant_id = l.tenant_id AND o.shard = l.shard
                    AND (o.transaction_id, o.position) > (l.transaction_id::xid8, l.position)
                    AND o.transaction_id < \(Self.horizon) AND \(floor(published))
                ORDER BY o.transaction_id, o.position LIMIT l.most) o
            """
    }
}

/// Where a shard has been published to, on its way into the cursor.
struct ShardProgress: Sendable {
    let shard: Int16
    let position: ShardPosition
    /// All that was recorded before is published.
    let publishedBefore: Timestamp?
    /// What the broker refused on the way.
    private(set) var letters: [DeadLetter]

    /// - Parameter saved: what this one went on from.
    mutating func leaveOut(_ saved: ShardProgress) { letters.removeFirst(saved.letters.count) }
}

/// What is to be read of a shard.
struct ShardReading: Sendable {
    let shard: Int16
    let epoch: UInt64
    let from: ShardPosition
    /// The lanes whose turn it is.
    let turns: [ShardPosition.Lane]
    let laneLimit: Int
}

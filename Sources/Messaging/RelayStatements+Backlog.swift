import Kernel
import Postgres

extension RelayStatements {
    /// How far the count of what waits goes, for each shard and for each lane.
    private static let bound = 2_000

    /// Of all shards together, how many events wait behind the cursors and how old the oldest is.
    func backlog(_ positions: [Int16: ShardPosition], from published: Timestamp?) -> SQL {
        let shards = positions.sorted { $0.key < $1.key }
        return """
            SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(o.recorded_at)), 0)::float8
            FROM unnest(\(shards.map(\.key)), \(shards.map { String($0.value.main.transactionID) }),
                \(shards.map(\.value.main.position))) AS m (shard, transaction_id, position)
            CROSS JOIN LATERAL (
                SELECT o.recorded_at FROM \(unsafeSQL: schema).outbox o
                WHERE o.shard = m.shard AND (o.transaction_id, o.position) > (m.transaction_id::xid8, m.position)
                    AND o.recorded_at >= coalesce(\(published)::timestamptz, '-infinity')
                ORDER BY o.transaction_id, o.position LIMIT \(Self.bound)) o
            """
    }

    /// The same of each lane, up to where the others have come.
    func laneBacklog(_ positions: [Int16: ShardPosition], from published: Timestamp?) -> SQL {
        let lanes = positions.flatMap { shard, position in
            position.lanes.filter { !$0.isClosed }.map { (shard: shard, lane: $0, end: position.main) }
        }
        return """
            SELECT l.tenant_id, count(*), coalesce(extract(epoch FROM clock_timestamp() - min(o.recorded_at)), 0)::float8
            FROM unnest(\(lanes.map(\.shard)), \(lanes.map(\.lane.tenant)),
                \(lanes.map { String($0.lane.position.transactionID) }), \(lanes.map(\.lane.position.position)),
                \(lanes.map { String($0.end.transactionID) }), \(lanes.map(\.end.position)))
                AS l (shard, tenant_id, transaction_id, position, end_transaction_id, end_position)
            CROSS JOIN LATERAL (
                SELECT o.recorded_at FROM \(unsafeSQL: schema).outbox o
                WHERE o.tenant_id = l.tenant_id AND o.shard = l.shard
                    AND (o.transaction_id, o.position) > (l.transaction_id::xid8, l.position)
                    AND (o.transaction_id, o.position) <= (l.end_transaction_id::xid8, l.end_position)
                    AND o.recorded_at >= coalesce(\(published)::timestamptz, '-infinity')
                ORDER BY o.transaction_id, o.position LIMIT \(Self.bound)) o
            GROUP BY l.tenant_id
            """
    }
}

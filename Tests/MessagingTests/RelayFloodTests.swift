import Foundation
import Kafka
import Kernel
import Messaging
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("A tenant's flood")
struct RelayFloodTests {
    /// What the decision about lanes promises of the event's own shard: two pages, each with as much again from lanes, and
    /// one more page for every tenant that floods.
    private static func bound(floods: Int) -> Int { 2 * 500 + floods * 250 }

    // Where the flood comes first, nothing comes behind the event that is waited for.
    @Test(
        "of 100,000 events keeps another tenant's event waiting for a bounded number of them",
        .timeLimit(.minutes(3)), arguments: [1, 3])
    func flood(_ floods: Int) async throws {
        try await Backbone.with { backbone in
            for _ in 0..<floods {
                try await flood(backbone, TenantContext.test().tenantID, 100_000 / floods)
            }
            let small = TenantContext.test()
            // A page takes as long as this: the flood is not over before the other tenant's event is there.
            try backbone.broker.setLatency(.milliseconds(200))
            try await backbone.relaying {
                // The relays have begun with the flood when the other comes. Transactions of other tests hold it back.
                try await Waiting.until("the flood is being published", within: .seconds(60)) {
                    try await backbone.plane.asSuperuser(
                        "SELECT bool_or(transaction_id > '0' OR lanes <> '[]') FROM orders.outbox_cursor")[0]
                        .decode(Bool.self)
                }
                try await backbone.publish(1, of: Backbone.thing(in: 3), as: small)
                // From when on it may be read: no transaction that began before it is open any more, of other tests neither.
                try await Waiting.until("it may be read", within: .seconds(60), every: .milliseconds(1)) {
                    try await backbone.plane.asSuperuser(
                        """
                        SELECT transaction_id < pg_snapshot_xmin(pg_current_snapshot()) FROM orders.outbox
                        WHERE tenant_id = \(small.tenantID)
                        """)[0].decode(Bool.self)
                }
                let readable = WallClock.system.now()
                try backbone.broker.setLatency(.zero)
                let records = try await records(around: small.tenantID, since: readable, backbone)
                print("flood of \(floods): \(records.beforeInShard) before in the shard, \(records.before) in all")
                #expect(records.beforeInShard <= Self.bound(floods: floods))
                // The other shards go on meanwhile, each at its own pace, but none of them runs away.
                #expect(records.before < 25_000)
                try #require(records.areAfter, "The flood was over, which proves nothing.")
            }
        }
    }

    @Test("is published to its end, in the order of each aggregate, beside everything else")
    func completeness() async throws {
        try await Backbone.with { backbone in
            let (large, small) = (TenantContext.test(), TenantContext.test())
            try await flood(backbone, large.tenantID, 4_000, aggregates: 40)
            let things: [Identifier<Void>] = (0..<8).map { Backbone.thing(in: $0) }
            try await backbone.relaying {
                for number in 1...5 { for thing in things { try await backbone.publish(number, of: thing, as: small) } }
                let messages = try await backbone.published(4_040)
                let sequences = Dictionary(grouping: messages, by: \.key)
                    .mapValues { $0.compactMap { $0.header("ce_sequence").flatMap { Int($0) } } }
                #expect(sequences.values.allSatisfy { $0 == $0.sorted() })
                try await Waiting.until("the lanes have ended") {
                    try await backbone.plane.asSuperuser(
                        "SELECT bool_and(lanes = '[]') FROM orders.outbox_cursor")[0].decode(Bool.self)
                }
                #expect(try await backbone.backlog() == 0)
            }
        }
    }

    private func flood(
        _ backbone: Backbone, _ tenant: TenantID, _ count: Int, aggregates: Int = 1_000
    ) async throws {
        try await backbone.plane.asSuperuser(
            """
            INSERT INTO orders.outbox (tenant_id, event_id, topic, type, aggregate_id, aggregate_version, occurred_at, \
            correlation_id, traceparent, payload)
            SELECT \(tenant), gen_random_uuid(), \(ThingHappenedV1.topic), \(ThingHappenedV1.type),
                md5(\(tenant)::text || n % \(aggregates))::uuid, n, now(), gen_random_uuid(),
                '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '{}'
            FROM generate_series(1, \(count)) AS n
            """)
    }

    private struct Records {
        /// What the producer had made from a time until the tenant's one, by the times that it gave them.
        let before: Int
        let beforeInShard: Int
        let areAfter: Bool
    }

    private func records(
        around tenant: TenantID, since begin: Timestamp, _ backbone: Backbone
    ) async throws -> Records {
        let consumer = try KafkaConsumer(
            backbone.kafka, group: "flood-\(IdentifierSource.system.next(EventID.self))",
            topics: [ThingHappenedV1.topic], logger: .silent)
        var records: [(time: Int64, shard: UInt8?)] = []
        var wanted: KafkaMessage?
        // Partitions are read one beside another: what was made before may come after.
        while wanted == nil || records.last.map({ $0.time <= (wanted?.timestamp ?? 0) + 200 }) ?? true {
            let messages = try await consumer.messages(maximum: 1000)
            if messages.isEmpty { break }
            wanted = wanted ?? messages.first { $0.header("ce_tenantid") == tenant.description }
            records += messages.map { ($0.timestamp, shard(of: $0)) }
        }
        await consumer.close()
        let event = try #require(wanted)
        let before = records.filter {
            $0.time >= begin.microsecondsSinceEpoch / 1000 && $0.time <= event.timestamp
        }
        return Records(
            before: before.count - 1, beforeInShard: before.filter { $0.shard == shard(of: event) }.count - 1,
            areAfter: records.contains { $0.time > event.timestamp })
    }

    /// As the outbox makes it of the aggregate's identifier, which is the key.
    private func shard(of message: KafkaMessage) -> UInt8? {
        message.key.flatMap { String(validating: $0, as: UTF8.self) }.flatMap { UUID(canonical: $0) }
            .map { $0.uuid.15 & 7 }
    }
}

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
    /// What the decision about lanes promises: two pages of each shard, each with as much again from lanes, and one more
    /// page of each for every tenant that floods.
    private static func bound(floods: Int) -> Int { 8 * (2 * 500 + floods * 250) }

    @Test("of 100,000 events keeps another tenant's event waiting for a bounded number of them", arguments: [1, 3])
    func flood(_ floods: Int) async throws {
        try await Backbone.with { backbone in
            for _ in 0..<floods {
                try await flood(backbone, TenantContext.test().tenantID, 100_000 / floods)
            }
            let small = TenantContext.test()
            try await backbone.relaying {
                // The relays have begun with the flood when the other comes.
                try await Waiting.until("the flood is being published") {
                    try await backbone.plane.asSuperuser("SELECT max(position) > 0 FROM orders.outbox_cursor")[0]
                        .decode(Bool.self)
                }
                try await backbone.publish(1, of: Backbone.thing(in: 3), as: small)
                let before = try await recordsBefore(small.tenantID, backbone)
                print("flood of \(floods): \(before) records before")
                #expect(before < Self.bound(floods: floods))
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

    /// How many records the producer had made before the tenant's one, by the times that it gave them.
    private func recordsBefore(_ tenant: TenantID, _ backbone: Backbone) async throws -> Int {
        let consumer = try KafkaConsumer(
            backbone.kafka, group: "flood-\(IdentifierSource.system.next(EventID.self))",
            topics: [ThingHappenedV1.topic], logger: .silent)
        var times: [Int64] = []
        var wanted: Int64?
        // Partitions are read one beside another: what was made before may come after.
        while wanted == nil || times.last.map({ $0 <= (wanted ?? 0) + 200 }) ?? true {
            let messages = try await consumer.messages(maximum: 1000)
            if messages.isEmpty { break }
            wanted = wanted ?? messages.first { $0.header("ce_tenantid") == tenant.description }?.timestamp
            times += messages.map(\.timestamp)
        }
        await consumer.close()
        let place = try #require(wanted)
        return times.filter { $0 <= place }.count - 1
    }
}

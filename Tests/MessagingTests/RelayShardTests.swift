import Foundation
import Kafka
import Kernel
import Messaging
import Postgres
import ServiceLifecycle
import Tenancy
import TestSupport
import Testing

/// Goes to a topic that can be put out of order without the others.
struct StuckHappenedV1: IntegrationEvent {
    static let type = "orders.stuck.happened.v1"

    let tenantId: TenantID
}

@Suite("The relays of an outbox")
struct RelayShardTests {
    @Test("share its shards evenly, give back what is too much for them, and take over at once from one that stops")
    func sharing() async throws {
        try await Backbone.with { backbone in
            try await relaying(backbone) {
                try await owners(backbone, are: [8])
                try await relaying(backbone) {
                    try await owners(backbone, are: [4, 4])
                    try await relaying(backbone) { try await owners(backbone, are: [2, 3, 3]) }
                    try await owners(backbone, are: [4, 4])
                }
                // Well before a lease of three seconds runs out.
                let stopped = ContinuousClock.now
                try await owners(backbone, are: [8])
                #expect(stopped.duration(to: .now) < .seconds(2.5))
            }
        }
    }

    @Test("take over within five seconds what a killed one had, and lose nothing of it")
    func takeover() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let things: [Identifier<Void>] = (0..<16).map { _ in IdentifierSource.system.next() }
            let dead = UUID()
            @Sendable func isHeard(for seconds: Int32) async throws {
                try await backbone.plane.asSuperuser(
                    """
                    WITH relay AS (
                        INSERT INTO orders.outbox_relays
                        VALUES (\(dead), clock_timestamp() + \(seconds) * interval '1 second')
                        ON CONFLICT (owner) DO UPDATE SET seen_until = excluded.seen_until)
                    UPDATE orders.outbox_cursor
                    SET owner = \(dead), lease_until = clock_timestamp() + \(seconds) * interval '1 second'
                    """)
            }
            try await isHeard(for: 3600)
            try await relaying(backbone, heartbeat: .seconds(1)) {
                var published = 0
                var least = Duration.seconds(60)
                // A machine that is busy with something else may stand still for seconds, but hardly each time.
                while least >= .seconds(5), published < 3 {
                    published += 1
                    for thing in things { try await backbone.publish(published, of: thing, as: tenant) }
                    // As a process leaves it that was killed a moment after it had renewed everything.
                    try await isHeard(for: 3)
                    let killed = ContinuousClock.now
                    try await Waiting.until("everything has been published", within: .seconds(30)) {
                        try await backbone.plane.asSuperuser(
                            """
                            SELECT NOT EXISTS (SELECT FROM orders.outbox o JOIN orders.outbox_cursor c USING (shard)
                                WHERE (o.transaction_id, o.position) > (c.transaction_id, c.position))
                            """)[0].decode(Bool.self)
                    }
                    #expect(killed.duration(to: .now) > .seconds(2))
                    least = min(least, killed.duration(to: .now))
                    try await isHeard(for: 3600)
                }
                #expect(least < .seconds(5))
                #expect(Set(try await backbone.published(16 * published).compactMap(\.key)).count == 16)
            }
        }
    }

    @Test("move no cursor without the lease: another that has it in the meantime goes on from where it was")
    func lostLease() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let thing: Identifier<Void> = IdentifierSource.system.next()
            let producer = try backbone.producer()
            try await backbone.running([producer, try backbone.relay(producer: producer)]) {
                try backbone.broker.setLatency(.seconds(1))
                try await backbone.publish(1, of: thing, as: tenant)
                try await Waiting.until("the event is with the broker") { producer.statistics.inFlight == 1 }
                let other = UUID()
                try await backbone.plane.asSuperuser(
                    """
                    UPDATE orders.outbox_cursor
                    SET owner = \(other), lease_until = clock_timestamp() + interval '1 minute'
                    """)
                try await Waiting.until("the broker has answered") { producer.statistics.inFlight == 0 }
                try await backbone.publish(2, of: thing, as: tenant)
                try await Waiting.until("the relay has found its lease gone") {
                    try await backbone.plane.asSuperuser(
                        "SELECT count(*) FROM orders.outbox_relays WHERE seen_until > clock_timestamp() + interval '2.5 s'"
                    )[0].decode(Int64.self) == 1
                }
                let kept = try await backbone.plane.asSuperuser(
                    "SELECT count(*) FROM orders.outbox_cursor WHERE owner = \(other)")
                #expect(try kept[0].decode(Int64.self) == 8)
                #expect(try await backbone.backlog() == 2)
                #expect(producer.statistics.delivered == 1)
            }
        }
    }

    @Test("let no shard wait for another whose topic takes nothing")
    func stuckShard() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            backbone.broker.setError(.unknownTopicOrPartition, of: StuckHappenedV1.topic)
            try await relaying(backbone) {
                let stuck = Backbone.thing(in: 0)
                try await backbone.plane.dataPlane.write(tenant, as: Backbone.orders) { transaction in
                    try backbone.outbox.enqueue(
                        OutgoingEvent(
                            StuckHappenedV1(tenantId: tenant.tenantID), id: IdentifierSource.system.next(),
                            aggregateID: stuck.uuid, aggregateVersion: 1, at: WallClock.system.now()),
                        in: transaction)
                }
                for number in 1...5 {
                    for shard in 1...7 { try await backbone.publish(number, of: Backbone.thing(in: shard), as: tenant) }
                }
                #expect(try await backbone.published(35).count == 35)
                #expect(try await backbone.backlog() == 1)
            }
        }
    }

    @Test("set aside what may never be sent, in the transaction that moves the cursor past it")
    func refusal() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let thing = Backbone.thing(in: 5)
            try await backbone.publish(1, of: thing, as: tenant)
            try await backbone.plane.asSuperuser("UPDATE orders.outbox SET payload = repeat('x', 3000000)")
            try await backbone.publish(2, of: thing, as: tenant)
            // Nothing is kept of a letter whose cursor does not move.
            try await backbone.plane.asSuperuser(
                "ALTER TABLE orders.dead_letters ADD CONSTRAINT planted CHECK (direction <> 'outgoing')")
            let producer = try backbone.producer()
            try await backbone.running([producer, try backbone.relay(producer: producer)]) {
                try await Waiting.until("the broker has refused it") { producer.statistics.failed > 0 }
                #expect(try await backbone.backlog() == 2)
                try await backbone.plane.asSuperuser("ALTER TABLE orders.dead_letters DROP CONSTRAINT planted")
                try await Waiting.until("the cursor is past both") { try await backbone.backlog() == 0 }
                let letters = try await backbone.plane.asSuperuser(
                    "SELECT count(*) FROM orders.dead_letters WHERE direction = 'outgoing'")
                #expect(try letters[0].decode(Int64.self) == 1)
                #expect(try await backbone.published(1).map { $0.header("ce_sequence")?.suffix(1) } == ["2"])
            }
        }
    }

    @Test("set aside what a topic's rights refuse")
    func unauthorized() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            backbone.broker.fail(.produce, with: [.topicNotAuthorized])
            try await relaying(backbone) {
                try await backbone.publish(1, of: Backbone.thing(in: 1), as: tenant)
                try await Waiting.until("the letter is there") {
                    try await backbone.plane.asSuperuser(
                        "SELECT count(*) FROM orders.dead_letters WHERE reason LIKE 'TOPIC_AUTHORIZATION%'")[0]
                        .decode(Int64.self) == 1
                }
                #expect(try await backbone.backlog() == 0)
            }
        }
    }

    // MARK: -

    private func relaying(
        _ backbone: Backbone, heartbeat: Duration = .milliseconds(200), _ body: @Sendable () async throws -> Void
    ) async throws {
        let producer = try backbone.producer()
        let signal = RelaySignal()
        var configuration = RelayConfiguration()
        configuration.heartbeat = heartbeat
        let notices = OutboxNotices(pool: try backbone.plane.pool, logger: .silent)
        let fleet = RelayFleet(
            schema: "orders", in: { backbone.plane.homes.databases }, dataPlane: backbone.plane.dataPlane,
            producer: producer, signal: signal, notices: notices, configuration: configuration, logger: .silent)
        try await backbone.running(
            [producer, fleet, OutboxListener(notices, signals: ["orders": signal])], body)
    }

    private func owners(_ backbone: Backbone, are counts: [Int]) async throws {
        try await Waiting.until("the shards are shared \(counts)") {
            try await backbone.plane.asSuperuser(
                """
                SELECT count(*) FROM orders.outbox_cursor WHERE lease_until >= clock_timestamp() GROUP BY owner ORDER BY 1
                """
            ).map { Int(try $0.decode(Int64.self)) } == counts
        }
    }
}

extension Backbone {
    /// A thing whose events are in that shard.
    static func thing(in shard: Int) -> Identifier<Void> {
        while true {
            let thing: Identifier<Void> = IdentifierSource.system.next()
            if Int(thing.uuid.uuid.15 & 7) == shard { return thing }
        }
    }

    /// How many events no cursor has come past.
    func backlog() async throws -> Int {
        Int(
            try await plane.asSuperuser(
                """
                SELECT count(*) FROM orders.outbox o JOIN orders.outbox_cursor c USING (shard)
                WHERE (o.transaction_id, o.position) > (c.transaction_id, c.position)
                """)[0].decode(Int64.self))
    }
}

import Kafka
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@testable import Messaging

@Suite("Publishing again")
struct RelayRewindTests {
    @Test("begins at a time, in order, while relays are at work")
    func time() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let things: [Identifier<Void>] = (0..<8).map { Backbone.thing(in: $0) }
            try await backbone.relaying {
                for number in 1...3 {
                    for thing in things { try await backbone.publish(number, of: thing, as: tenant) }
                }
                try await Waiting.until("the cursors are past all") { try await backbone.backlog() == 0 }
                let since = try await backbone.plane.asSuperuser(
                    "SELECT min(recorded_at) FROM orders.outbox WHERE aggregate_version = 2")[0].decode(Timestamp.self)
                let rewind = RelayRewind(schema: "orders", dataPlane: backbone.plane.dataPlane, logger: .silent)
                let outcome = try await rewind.rewind(to: .recorded(since), in: backbone.plane.fleet.control)
                #expect(outcome.shards == 8)
                try await Waiting.until("the cursors are past all again") { try await backbone.backlog() == 0 }
                let numbers = try await all(backbone, 40, keyed: things)
                for thing in things { #expect(numbers[thing] == [1, 2, 3, 2, 3]) }
            }
        }
    }

    @Test("begins at an event")
    func event() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let thing = Backbone.thing(in: 2)
            try await backbone.relaying {
                for number in 1...4 { try await backbone.publish(number, of: thing, as: tenant) }
                try await Waiting.until("the cursor is past all") { try await backbone.backlog() == 0 }
                let event = try await backbone.plane.asSuperuser(
                    "SELECT event_id FROM orders.outbox WHERE aggregate_version = 3")[0].decode(EventID.self)
                let rewind = RelayRewind(schema: "orders", dataPlane: backbone.plane.dataPlane, logger: .silent)
                _ = try await rewind.rewind(to: .event(event), in: backbone.plane.fleet.control)
                try await Waiting.until("the cursor is past all again") { try await backbone.backlog() == 0 }
                #expect(try await all(backbone, 6, keyed: [thing])[thing] == [1, 2, 3, 4, 3, 4])
                let unknown: EventID = IdentifierSource.system.next()
                await #expect(throws: EventNotHeld(event: unknown)) {
                    try await rewind.rewind(to: .event(unknown), in: backbone.plane.fleet.control)
                }
            }
        }
    }

    @Test("loses nothing of a lane that it ends")
    func lanes() async throws {
        try await Backbone.with { backbone in
            let (crowding, other) = (TenantContext.test(), TenantContext.test())
            let (mine, theirs) = (Backbone.thing(in: 6), Backbone.thing(in: 6))
            try await backbone.publish(1, of: mine, as: crowding)
            try await backbone.publish(1, of: theirs, as: other)
            try await backbone.publish(2, of: theirs, as: other)
            // Nothing of the lane is published; the others are up to the second of their events.
            try await backbone.plane.asSuperuser(
                """
                UPDATE orders.outbox_cursor c SET transaction_id = o.transaction_id, position = o.position,
                    lanes = jsonb_build_array(jsonb_build_object('tenant', \(crowding.tenantID)::uuid, 'transaction', '0',
                        'position', 0, 'closed', false))
                FROM orders.outbox o WHERE o.shard = c.shard AND o.aggregate_version = 2
                """)
            let since = try await backbone.plane.asSuperuser(
                "SELECT recorded_at FROM orders.outbox WHERE aggregate_version = 2")[0].decode(Timestamp.self)
            _ = try await RelayRewind(schema: "orders", dataPlane: backbone.plane.dataPlane, logger: .silent)
                .rewind(to: .recorded(since), in: backbone.plane.fleet.control)
            try await backbone.relaying {
                let numbers = try await all(backbone, 3, keyed: [mine, theirs])
                #expect(numbers[mine] == [1])
                #expect(numbers[theirs] == [1, 2])
            }
        }
    }

    @Test("refuses a span of which part is dropped")
    func dropped() async throws {
        try await Backbone.with { backbone in
            let rewind = RelayRewind(schema: "orders", dataPlane: backbone.plane.dataPlane, logger: .silent)
            let database = backbone.plane.fleet.control
            #expect(try await rewind.oldestHeld(in: database) == nil)
            let until = WallClock.system.now().advanced(by: .seconds(-3600))
            try await backbone.plane.asSuperuser(
                """
                INSERT INTO orders.outbox_drops (partition, recorded_from, recorded_to)
                VALUES ('outbox_20200101', '2020-01-01', \(until))
                """)
            #expect(try await rewind.oldestHeld(in: database) == until)
            await #expect(throws: SpanDropped(oldest: until)) {
                try await rewind.rewind(to: .recorded(until.advanced(by: .seconds(-1))), in: database)
            }
            #expect(try await rewind.rewind(to: .recorded(until), in: database).shards == 0)
        }
    }

    /// The numbers of each thing's events in the order of their partition, repetitions and all.
    private func all(_ backbone: Backbone, _ count: Int, keyed things: [Identifier<Void>]) async throws
        -> [Identifier<Void>: [Int]]
    {
        let consumer = try KafkaConsumer(
            backbone.kafka, group: "again-\(IdentifierSource.system.next(EventID.self))",
            topics: [ThingHappenedV1.topic], logger: .silent)
        var messages: [KafkaMessage] = []
        while messages.count < count { messages += try await consumer.messages(maximum: 1000) }
        await consumer.close()
        return Dictionary(
            uniqueKeysWithValues: things.map { thing in
                (
                    thing,
                    messages.filter { $0.key == Array(thing.description.utf8) }
                        .compactMap { $0.header("ce_sequence").flatMap { Int($0) } }
                )
            })
    }
}

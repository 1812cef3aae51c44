import Foundation
import Kafka
import Kernel
import Logging
import Messaging
import Postgres
import Tenancy
import TestSupport
import Testing

@testable import Atrium

/// A refill from within, of a process that runs Billing alone.
@Suite("A refill of what one context missed")
struct RefillHoldTests {
    /// A broker with nothing on it, and an event in the outbox of Orders that Billing has not taken in.
    private struct World: Sendable {
        let plane: TestDataPlane
        let data: DataServices
        let billing: LoadedModule
        let reader: KafkaReader
        let tenant: TenantID = IdentifierSource.system.next()

        static let orders = TopicPartition(topic: "orders.order", partition: 0)
        static let tenants = TopicPartition(topic: "identity.tenant", partition: 0)
        /// Years before anything here.
        static let takenIn = Timestamp(microsecondsSinceEpoch: 1_600_000_000_000_000)

        static func with(_ body: @Sendable (World) async throws -> Void) async throws {
            let broker = try EmbeddedBroker(
                topics: ["identity.tenant", "orders.order"].map { TopicSpec($0, partitions: 1) }, logger: .silent)
            do {
                try await with(broker, body)
            } catch {
                await broker.close()
                throw error
            }
            await broker.close()
        }

        private static func with(
            _ broker: EmbeddedBroker, _ body: @Sendable (World) async throws -> Void
        ) async throws {
            try await TestDataPlane.with { plane in
                // A copy still has the name of the database that it was copied from.
                try await plane.asSuperuser(
                    "UPDATE control.databases SET database_name = current_database() WHERE name = 'home'")
                var configuration = ServerConfiguration(
                    servers: [try plane.database.server()], kafka: broker.bootstrapServers,
                    operatorKey: String(repeating: "k", count: 24), secret: TestDataPlane.secret,
                    schemas: Places.packageRoot.appending(path: "schemas"))
                configuration.contexts = [.billing]
                let data = try DataServices(configuration, poolMaximum: 2, logger: .silent)
                let modules = try Modules(configuration, data, logger: .silent)
                let reader = try KafkaReader(
                    KafkaSettings(bootstrapServers: broker.bootstrapServers), logger: .silent)
                do {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { try await data.fleet.run() }
                        defer { group.cancelAll() }
                        let world = World(
                            plane: plane, data: data, billing: try #require(modules.loaded.first), reader: reader)
                        try await world.misses(orders)
                        try await world.record("orders", "orders.order", "orders.order.fulfilled.v1")
                        try await body(world)
                    }
                } catch {
                    await reader.close()
                    throw error
                }
                await reader.close()
            }
        }

        func refill(holdTime: Duration = .seconds(120), settling: Duration = .zero) -> EventRefill {
            EventRefill(
                context: billing, data: data, reader: reader, logger: .silent, holdTime: holdTime, settling: settling)
        }

        func misses(_ partition: TopicPartition) async throws {
            try await plane.asSuperuser(
                """
                INSERT INTO billing.stream_gaps
                    (id, topic, partition, expected, first_there, end_there, cause, taken_in_until)
                VALUES (gen_random_uuid(), \(partition.topic), \(partition.partition), 5, 0, 0, 'a test', \(Self.takenIn))
                """)
        }

        /// As it is in an outbox whose cursors have come past it.
        func record(_ schema: String, _ topic: String, _ type: String) async throws {
            try await plane.asSuperuser(
                """
                INSERT INTO \(unsafeSQL: schema).outbox (tenant_id, event_id, topic, type, aggregate_id, \
                aggregate_version, occurred_at, correlation_id, traceparent, payload)
                VALUES (\(tenant), gen_random_uuid(), \(topic), \(type), gen_random_uuid(), 1, now(), \
                gen_random_uuid(), '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '{}')
                """)
            try await plane.asSuperuser(
                """
                UPDATE \(unsafeSQL: schema).outbox_cursor c SET transaction_id = o.transaction_id, position = o.position
                FROM \(unsafeSQL: schema).outbox o
                """)
        }

        func number(_ sql: SQL) async throws -> Int {
            Int(try await plane.asSuperuser(sql)[0].decode(Int64.self))
        }

        /// How many events of Orders are to be published again.
        func again() async throws -> Int {
            try await number(
                """
                SELECT count(*) FROM orders.outbox o JOIN orders.outbox_cursor c USING (shard)
                WHERE (o.transaction_id, o.position) > (c.transaction_id, c.position)
                """)
        }

        func open() async throws -> Int {
            try await number("SELECT count(*) FROM billing.stream_gaps WHERE resolved_at IS NULL")
        }

        func held(_ schema: String = "orders") async throws -> Int {
            try await number("SELECT count(*) FROM \(unsafeSQL: schema).outbox_cursor WHERE owner IS NOT NULL")
        }
    }

    @Test("finds what the outboxes of contexts hold that the process does not run, and lets their relays go on")
    func billingAlone() async throws {
        try await World.with { world in
            let refill = world.refill()
            let plan = try await refill.plan(since: nil)
            #expect(plan.sources.map(\.schema) == ["orders"] && plan.sources.allSatisfy { $0.from != nil })
            #expect(!plan.beginsLate && plan.incomplete.isEmpty)
            #expect(try await world.again() == 0, "a plan changes nothing")
            #expect(try await world.held() == 0)

            try await refill.carryOut(plan, by: "operator:ann")
            #expect(try await world.again() == 1)
            #expect(try await world.open() == 0)
            #expect(try await world.held() == 0)
        }
    }

    @Test("lasts longer than its hold on the relays, which it renews meanwhile")
    func renewed() async throws {
        try await World.with { world in
            // A busy machine may be seconds late with a renewal.
            let refill = world.refill(holdTime: .seconds(12), settling: .seconds(14))
            try await refill.carryOut(try await refill.plan(since: nil), by: "operator:ann")
            #expect(try await world.again() == 1)
            #expect(try await world.open() == 0)
            #expect(try await world.held() == 0)
        }
    }

    @Test("ends at once and changes nothing where its hold is lost")
    func lost() async throws {
        try await World.with { world in
            // Nothing but the hold's renewal ends the settling.
            let refill = world.refill(holdTime: .seconds(4), settling: .seconds(60))
            let plan = try await refill.plan(since: nil)
            let (other, begun) = (UUID(), ContinuousClock.now)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: HoldLost.self) { try await refill.carryOut(plan, by: "operator:ann") }
                }
                try await Waiting.until("the relays are held") { try await world.held() == 8 }
                try await world.plane.asSuperuser("UPDATE orders.outbox_cursor SET owner = \(other) WHERE shard = 3")
                try await group.waitForAll()
            }
            #expect(begun.duration(to: .now) < .seconds(30))
            #expect(try await world.again() == 0)
            #expect(try await world.open() == 1)
            #expect(
                try await world.number("SELECT count(*) FROM orders.outbox_cursor WHERE owner = \(other)") == 1,
                "what is another's is not let go")
            #expect(try await world.held() == 1)
        }
    }

    @Test("refuses to publish from an outbox whose relays it does not hold, since it was not in the plan")
    func newOutbox() async throws {
        try await World.with { world in
            let refill = world.refill()
            let plan = try await refill.plan(since: nil)
            try await world.misses(World.tenants)
            try await world.record("control", "identity.tenant", "identity.tenant.registered.v1")
            let refusal = await #expect(throws: EventRefill.NewOutbox.self) {
                try await refill.carryOut(plan, by: "operator:ann")
            }
            #expect(refusal?.schema == "control" && refusal?.description.contains("run this again") == true)
            #expect(try await world.open() == 2, "no gap is resolved")
            #expect(try await world.held() == 0)

            let anew = try await refill.plan(since: nil)
            #expect(anew.sources.map(\.schema) == ["control", "orders"])
            try await refill.carryOut(anew, by: "operator:ann")
            #expect(try await world.open() == 0)
            #expect(try await world.again() == 1)
        }
    }

    @Test("says where it looks only from a time on that is later than what was taken in, and then finds no more")
    func late() async throws {
        try await World.with { world in
            let before = Timestamp(microsecondsSinceEpoch: World.takenIn.microsecondsSinceEpoch - 1)
            let early = try await world.refill().plan(since: before)
            #expect(!early.beginsLate && early.sources.allSatisfy { $0.from != nil })
            let after = Timestamp(microsecondsSinceEpoch: World.takenIn.microsecondsSinceEpoch + 1)
            #expect(try await world.refill().plan(since: after).beginsLate)
            let tomorrow = WallClock.system.now().advanced(by: .seconds(86_400))
            let late = try await world.refill().plan(since: tomorrow)
            #expect(late.beginsLate && late.sources.allSatisfy { $0.from == nil })

            // Whoever accepts that goes on without the rest.
            try await world.refill().carryOut(late, by: "operator:ann")
            #expect(try await world.again() == 0)
            #expect(try await world.open() == 0)

            // When nobody knows how far it had come, any time may be too late.
            try await world.misses(World.tenants)
            try await world.plane.asSuperuser(
                "UPDATE billing.stream_gaps SET taken_in_until = NULL WHERE resolved_at IS NULL")
            #expect(try await world.refill().plan(since: before).beginsLate)
        }
    }
}

import DevStack
import Kafka
import Kernel
import Logging
import Messaging
import Postgres
import ServiceLifecycle
import Tenancy
import TestSupport
import Testing

@Suite("The relay")
struct RelayTests {
    @Test("publishes what was committed, with everything its envelope promises")
    func envelope() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let thing: Identifier<Void> = IdentifierSource.system.next()
            try await backbone.relaying {
                try await backbone.publish(7, of: thing, as: tenant)
                let message = try #require(try await backbone.published(1).first)
                #expect(message.topic == "orders.thing")
                #expect(message.key == Array(thing.description.utf8))
                #expect(message.text == #"{"number":7,"tenantId":"\#(tenant.tenantID)"}"#)
                let event = try ReceivedEvent(message)
                #expect(event.type == "orders.thing.happened.v1")
                #expect(event.source == "/atrium/orders")
                #expect(event.tenantID == tenant.tenantID)
                #expect(event.correlation.id == tenant.correlation.id)
                #expect(event.correlation.trace == tenant.correlation.trace)
                #expect(message.header("ce_subject") == thing.description)
                #expect(message.header("ce_sequence") == "0000000000000000007")
                #expect(message.header("ce_causationid") == nil)
                #expect(message.header("content-type") == "application/json")
                #expect(
                    message.header("ce_dataschema")
                        == "https://atrium.dev/schemas/events/orders/thing.happened.v1.json")
            }
        }
    }

    @Test("publishes nothing of a transaction that was rolled back")
    func rollback() async throws {
        struct Refusal: Error {}
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let thing: Identifier<Void> = IdentifierSource.system.next()
            try await backbone.relaying {
                await #expect(throws: Refusal.self) {
                    try await backbone.plane.dataPlane.write(tenant, as: Backbone.orders) { (transaction) -> Void in
                        try backbone.outbox.enqueue(backbone.event(1, of: thing, as: tenant), in: transaction)
                        _ = try await transaction.rowsWriting("SELECT 1")
                        throw Refusal()
                    }
                }
                try await backbone.publish(2, of: thing, as: tenant)
                #expect(try await backbone.published(1).map(\.text).allSatisfy { $0.contains("\"number\":2") })
            }
        }
    }

    @Test("keeps the order of each aggregate's events, whatever the concurrency")
    func order() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let things: [Identifier<Void>] = (0..<12).map { _ in IdentifierSource.system.next() }
            try await backbone.relaying {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for thing in things {
                        group.addTask {
                            for number in 1...20 { try await backbone.publish(number, of: thing, as: tenant) }
                        }
                    }
                    try await group.waitForAll()
                }
                let messages = try await backbone.published(240)
                for thing in things {
                    let sequence = messages.filter { $0.key == Array(thing.description.utf8) }
                        .compactMap { $0.header("ce_sequence").flatMap { Int($0) } }
                    #expect(sequence == Array(1...20))
                }
            }
        }
    }

    @Test("loses no event of a transaction that began first and committed last")
    func lateCommit() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let (early, late): (Identifier<Void>, Identifier<Void>) = (
                IdentifierSource.system.next(), IdentifierSource.system.next()
            )
            try await backbone.relaying {
                try await backbone.plane.dataPlane.write(tenant, as: Backbone.orders) { transaction in
                    try backbone.outbox.enqueue(backbone.event(1, of: late, as: tenant), in: transaction)
                    // The row is written, its position drawn; the commit comes only after the other's.
                    _ = try await transaction.rowsWriting("SELECT 1")
                    // A task of its own: one that holds a connection is refused another.
                    try await Task.detached { try await backbone.publish(1, of: early, as: tenant) }.value
                    // A relay that reads past the open transaction would have moved its cursor by now.
                    backbone.signal.nudge(backbone.plane.fleet.control)
                    try await Waiting.until("the relay has looked") {
                        let rows = try await backbone.plane.asSuperuser(
                            "SELECT bool_and(owner IS NOT NULL) FROM orders.outbox_cursor")
                        return try rows[0].decode(Bool.self)
                    }
                }
                let keys = Set(try await backbone.published(2).compactMap(\.key))
                #expect(keys == [Array(early.description.utf8), Array(late.description.utf8)])
            }
        }
    }

    @Test("takes over from a relay that died with the lease in its hands")
    func takeover() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let thing: Identifier<Void> = IdentifierSource.system.next()
            try await backbone.plane.asSuperuser(
                """
                UPDATE orders.outbox_cursor
                SET owner = gen_random_uuid(), lease_until = clock_timestamp() + interval '1 second'
                """)
            let producer = try backbone.producer()
            try await backbone.running([producer, try backbone.relay(lease: .seconds(1), producer: producer)]) {
                try await backbone.publish(1, of: thing, as: tenant)
                #expect(try await backbone.published(1).count == 1)
            }
        }
    }

    @Test("shares its outbox with others: one publishes, and nothing is lost or out of order when they come and go")
    func several() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let thing: Identifier<Void> = IdentifierSource.system.next()
            for round in 0..<3 {
                let producers = [try backbone.producer(), try backbone.producer()]
                let relays = try producers.map { try backbone.relay(RelaySignal(), producer: $0) }
                let services: [any Service] = producers + relays
                try await backbone.running(services) {
                    for number in 1...10 { try await backbone.publish(round * 10 + number, of: thing, as: tenant) }
                    let want = (round + 1) * 10
                    #expect(try await backbone.published(want).count == want)
                }
            }
            let numbers = try await backbone.published(30).compactMap { $0.header("ce_sequence").flatMap { Int($0) } }
            #expect(numbers == Array(1...30))
        }
    }

    @Test("waits for a broker that is down and publishes everything, in order, when it is back")
    func brokerDown() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let thing: Identifier<Void> = IdentifierSource.system.next()
            try await backbone.relaying {
                try await backbone.publish(1, of: thing, as: tenant)
                _ = try await backbone.published(1)
                try backbone.broker.setDown(true)
                for number in 2...30 { try await backbone.publish(number, of: thing, as: tenant) }
                try backbone.broker.setDown(false)
                let numbers = try await backbone.published(30)
                    .compactMap { $0.header("ce_sequence").flatMap { Int($0) } }
                #expect(numbers == Array(1...30))
            }
        }
    }

    @Test("sets an event aside that the broker refuses for good, and goes on with the others")
    func refusal() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let (large, small): (Identifier<Void>, Identifier<Void>) = (
                IdentifierSource.system.next(), IdentifierSource.system.next()
            )
            try await backbone.publish(1, of: large, as: tenant)
            try await backbone.plane.asSuperuser(
                "UPDATE orders.outbox SET payload = repeat('x', 3000000) WHERE aggregate_id = \(large)")
            try await backbone.publish(1, of: small, as: tenant)
            try await backbone.relaying {
                let published = try await backbone.published(1)
                #expect(published.first?.key == Array(small.description.utf8))
            }
            let letters = try await DeadLetters(
                schema: "orders", dataPlane: backbone.plane.dataPlane, in: { backbone.plane.homes.databases },
                logger: .silent
            ).list()
            #expect(letters.map(\.direction) == [.outgoing])
            #expect(letters.first?.tenantID == tenant.tenantID)
            #expect(letters.first?.value?.count == 3_000_000)
        }
    }

    @Test("is never handed another tenant's event by a transaction")
    func foreignTenant() async throws {
        try await Backbone.with { backbone in
            let (mine, other) = (TenantContext.test(), TenantContext.test())
            await #expect(throws: ForeignTenantEvent.self) {
                try await backbone.plane.dataPlane.write(mine, as: Backbone.orders) { transaction in
                    try backbone.outbox.enqueue(
                        backbone.event(1, of: IdentifierSource.system.next(), as: other), in: transaction)
                }
            }
        }
    }
}

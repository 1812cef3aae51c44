import DevStack
import Foundation
import Kafka
import Kernel
import Logging
import Messaging
import Postgres
import ServiceLifecycle
import Synchronization
import Tenancy
import TestSupport
import Testing

@Suite("A reaction")
struct ReactionTests {
    @Test("takes effect once for an event that arrives five times")
    func duplicates() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            let repeated = Reactions.record(1, tenant: tenant)
            try await Reactions.send(
                backbone, Array(repeating: repeated, count: 5) + [Reactions.record(2, tenant: tenant)])
            let last = Mutex(false)
            let counting = Reactions.subscription { event in if event.number == 2 { last.withLock { $0 = true } } }
            try await Reactions.consuming(backbone, [counting]) {
                try await Waiting.until("the last event was processed") { try await Reactions.effects(backbone) == 2 }
            }
            #expect(last.withLock { $0 })
            #expect(try await Reactions.effects(backbone) == 2)
            #expect(try await Reactions.letters(backbone).isEmpty)
        }
    }

    @Test("of two reactions to one event, each takes effect once")
    func twoReactions() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            let repeated = Reactions.record(1, tenant: tenant)
            try await Reactions.send(backbone, [repeated, repeated])
            try await Reactions.consuming(
                backbone, [Reactions.subscription(named: "A"), Reactions.subscription(named: "B")]
            ) {
                try await Waiting.until("both took effect") { try await Reactions.effects(backbone) == 2 }
            }
            #expect(try await Reactions.effects(backbone) == 2)
        }
    }

    @Test("sees the tenant, the cause and its own name in its context")
    func context() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            let id: EventID = IdentifierSource.system.next()
            try await Reactions.send(backbone, [Reactions.record(1, tenant: tenant, id: id)])
            let seen = Mutex<TenantContext?>(nil)
            let looking = Subscription.on(ThingHappenedV1.self, named: "Look") { _, transaction in
                let context = transaction.tenant
                seen.withLock { $0 = context }
            }
            try await Reactions.consuming(backbone, [looking]) {
                try await Waiting.until("the event was seen") { seen.withLock { $0 != nil } }
            }
            let context = try #require(seen.withLock { $0 })
            #expect(context.tenantID == tenant)
            #expect(context.correlation.id.description == ReceivedEventTests.headers["ce_correlationid"])
            #expect(context.correlation.causation == id)
            #expect(context.actor == .reaction("Look"))
        }
    }

    @Test("never runs for a message that is not an event of ours, which becomes a dead letter, and the next one runs")
    func rejected() async throws {
        try await Backbone.with { backbone in
            let (a, b): (TenantID, TenantID) = (IdentifierSource.system.next(), IdentifierSource.system.next())
            let bad: [(KafkaRecord, String)] = [
                (KafkaRecord(topic: ThingHappenedV1.topic, value: Array("hello".utf8)), "not a CloudEvent"),
                (Reactions.record(1, tenant: a, headers: ["ce_tenantid": nil]), "ce_tenantid is missing"),
                (Reactions.record(1, tenant: a, headers: ["ce_tenantid": b.description]), "names another tenant"),
                (Reactions.record(1, tenant: a, headers: ["ce_id": "\u{0}"]), "control characters"),
                (Reactions.record(1, tenant: a, headers: ["ce_source": "/elsewhere"]), "comes from /atrium/orders"),
                (Reactions.record(1, tenant: a, headers: ["ce_id": String(repeating: "x", count: 9000)]), "not a UUID"),
                (Reactions.record(1, tenant: a, value: "{"), "the data is not a orders.thing.happened.v1"),
                (Reactions.record(1, tenant: a, value: #"{"tenantId":"\#(a)"}"#), "number is missing"),
            ]
            try await Reactions.send(backbone, bad.map(\.0) + [Reactions.record(9, tenant: a)])
            let ran = Mutex<[Int]>([])
            try await Reactions.consuming(
                backbone, [Reactions.subscription { event in ran.withLock { $0.append(event.number) } }]
            ) {
                try await Waiting.until("good and bad are through") {
                    let letters = try await Reactions.letters(backbone)
                    return try await Reactions.effects(backbone) == 1 && letters.count == bad.count
                }
            }
            #expect(ran.withLock { $0 } == [9])
            let reasons = try await Reactions.letters(backbone).map(\.reason)
            for (_, reason) in bad { #expect(reasons.contains { $0.contains(reason) }, "\(reason): \(reasons)") }
        }
    }

    @Test("that fails is tried again and leaves nothing of the failed tries")
    func retries() async throws {
        struct Hiccup: Error {}
        try await Backbone.with { backbone in
            try await Reactions.send(backbone, [Reactions.record(1, tenant: IdentifierSource.system.next())])
            let tries = Mutex(0)
            let failing = Reactions.subscription { _ in
                let number = tries.withLock { tries in
                    tries += 1
                    return tries
                }
                if number < 3 { throw Hiccup() }
            }
            try await Reactions.consuming(backbone, [failing]) {
                try await Waiting.until("it took effect") { try await Reactions.effects(backbone) == 1 }
            }
            #expect(tries.withLock { $0 } == 3)
            #expect(try await Reactions.letters(backbone).isEmpty)
        }
    }

    @Test("that keeps failing is set aside, can be replayed once mended, and is not replayed twice")
    func deadLetter() async throws {
        struct Broken: Error {}
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Reactions.send(
                backbone, [Reactions.record(1, tenant: tenant), Reactions.record(2, tenant: tenant)])
            let broken = Reactions.subscription { event in if event.number == 1 { throw Broken() } }
            try await Reactions.consuming(backbone, [broken]) {
                try await Waiting.until("one is set aside, the other through") {
                    let letters = try await Reactions.letters(backbone)
                    return try await Reactions.effects(backbone) == 1 && letters.count == 1
                }
            }
            let letter = try #require(try await Reactions.letters(backbone).first)
            #expect(letter.attempts == 5 && letter.tenantID == tenant && letter.reaction == "CountThing")

            let producer = try backbone.producer()
            let replay = DeadLetterReplay(
                context: Backbone.billing, subscriptions: [Reactions.subscription()],
                dataPlane: backbone.plane.dataPlane,
                in: { backbone.plane.homes.databases }, producer: producer, logger: .silent)
            #expect(try await replay.replay(.letters([letter.id]), by: "test").map(\.outcome) == [.processed])
            #expect(try await Reactions.effects(backbone) == 2)
            await #expect(throws: DeadLetterReplay.Failure.resolvedBefore(letter.id)) {
                try await replay.replay(.letters([letter.id]), by: "test")
            }
            #expect(try await Reactions.letters(backbone).isEmpty)
            await producer.close()
        }
    }

    @Test("that ends before its offset was stored finds the event a duplicate when it comes again")
    func redelivery() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Reactions.send(backbone, [Reactions.record(1, tenant: tenant)])
            let record = Reactions.record(1, tenant: tenant)
            let message = KafkaMessage(
                topic: record.topic, partition: 0, offset: 0, value: record.value, headers: record.headers)
            let inbox = Inbox(role: Backbone.billing, dataPlane: backbone.plane.dataPlane, logger: .silent)
            let event = try ReceivedEvent(message)
            #expect(try await inbox.process(event, by: Reactions.subscription()) == .processed)
            #expect(try await inbox.process(event, by: Reactions.subscription()) == .duplicate)
            #expect(try await Reactions.effects(backbone) == 1)
        }
    }

    @Test("at twenty places at once takes effect once")
    func race() async throws {
        try await Backbone.with { backbone in
            let record = Reactions.record(1, tenant: IdentifierSource.system.next())
            let event = try ReceivedEvent(
                KafkaMessage(topic: record.topic, partition: 0, offset: 0, value: record.value, headers: record.headers)
            )
            let inbox = Inbox(role: Backbone.billing, dataPlane: backbone.plane.dataPlane, logger: .silent)
            let outcomes = try await withThrowingTaskGroup(of: Inbox.Outcome.self) { group in
                for _ in 0..<20 { group.addTask { try await inbox.process(event, by: Reactions.subscription()) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.count { $0 == .processed } == 1)
            #expect(try await Reactions.effects(backbone) == 1)
        }
    }
}

import Foundation
import Kafka
import Kernel
import Messaging
import Postgres
import Synchronization
import Tenancy
import TestSupport
import Testing

@Suite("Events that are taken in together")
struct TogetherTests {
    private struct Hiccup: Error {}

    @Test("take effect once each, in transactions of several, and of a key in order")
    func once() async throws {
        try await Backbone.with { backbone in
            let tenants: [TenantID] = [IdentifierSource.system.next(), IdentifierSource.system.next()]
            // Each comes twice, and three events of each key.
            let records = (0..<120).map { number in
                Reactions.record(number, tenant: tenants[number % 2], key: "key \(number % 40)")
            }
            try await Reactions.send(backbone, records + records)
            let seen = Mutex<[[Int]]>([])
            let counting = Reactions.several { events in seen.withLock { $0.append(events.map(\.number)) } }
            var configuration = ReactionConsumer.Configuration()
            configuration.together = 7
            try await Reactions.consuming(backbone, [counting], configuration: configuration) {
                let admin = try KafkaAdmin(backbone.kafka, logger: .silent)
                try await Waiting.until("all are dealt with", within: .seconds(45)) {
                    let lag = try await admin.lag(of: "atrium.billing", topics: [ThingHappenedV1.topic])
                    return lag.reduce(0) { $0 + ($1.committed ?? 0) } == 240
                }
                await admin.close()
            }
            #expect(try await Reactions.effects(backbone) == 120)
            let parties = seen.withLock { $0 }
            #expect(parties.contains { $0.count > 1 } && parties.allSatisfy { $0.count <= 7 })
            #expect(parties.allSatisfy { Set($0.map { $0 % 2 }).count == 1 }, "of one tenant")
            for key in 0..<40 {
                #expect(parties.flatMap(\.self).filter { $0 % 40 == key } == [key, key + 40, key + 80])
            }
            let transactions = try await backbone.plane.asSuperuser(
                "SELECT count(DISTINCT xmin::text) FROM billing.inbox")[0].decode(Int64.self)
            #expect(Int(transactions) == parties.count)
        }
    }

    @Test("fail together, and then one by one: what is wrong with one holds up its own key alone")
    func alone() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            let records = (0..<60).map { Reactions.record($0, tenant: tenant, key: "key \($0 % 30)") }
            try await Reactions.send(backbone, records)
            let failed = Mutex(false)
            let picky = Reactions.several { events in
                if events.contains(where: { $0.number == 7 }) { throw Rejection("seven") }
                if events.contains(where: { $0.number == 11 }), failed.withLock({ !$0 }) {
                    if events.count == 1 { failed.withLock { $0 = true } }
                    throw Hiccup()
                }
            }
            try await Reactions.consuming(backbone, [picky]) {
                try await Waiting.until("all others took effect", within: .seconds(45)) {
                    let letters = try await Reactions.letters(backbone)
                    return try await Reactions.effects(backbone) == 58 && letters.count == 2
                }
                // Of one whose key is parked by now, among others.
                try await Reactions.send(
                    backbone, (60..<90).map { Reactions.record($0, tenant: tenant, key: "key \($0 % 30)") })
                try await Waiting.until("it waits behind the first", within: .seconds(45)) {
                    let letters = try await Reactions.letters(backbone)
                    return try await Reactions.effects(backbone) == 87 && letters.count == 3
                }
            }
            let letters = try await Reactions.letters(backbone)
            #expect(letters.map(\.kind) == [.rejected, .waiting, .waiting])
            #expect(letters.allSatisfy { $0.key == Array("key 7".utf8) })
        }
    }

    @Test("are asked about once by the inbox, which answers for each what became of it")
    func outcomes() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            let inbox = Inbox(role: Backbone.billing, dataPlane: backbone.plane.dataPlane, logger: .silent)
            @Sendable func live(_ number: Int, _ key: String) throws -> Inbox.Live {
                let record = Reactions.record(number, tenant: tenant, key: key)
                let message = KafkaMessage(
                    topic: record.topic, partition: 0, offset: 0, key: record.key, value: record.value,
                    headers: record.headers, timestamp: 0)
                return Inbox.Live(event: try ReceivedEvent(message), key: Array(key.utf8))
            }
            let known = try live(1, "a")
            #expect(try await inbox.process([known], by: Reactions.several()) == [.processed])
            try await backbone.plane.asSuperuser(
                """
                INSERT INTO billing.parked_keys (tenant_id, topic, key, kind, reason)
                VALUES (\(tenant), \(ThingHappenedV1.topic), \(Array("b".utf8)), 'failed', 'x')
                """)
            let events = [try live(2, "b"), known, try live(3, "c"), try live(4, "d")]
            let numbers = Mutex<[Int]>([])
            let counting = Reactions.several { events in numbers.withLock { $0 = events.map(\.number) } }
            #expect(try await inbox.process(events, by: counting) == [nil, .duplicate, .processed, .processed])
            #expect(numbers.withLock { $0 } == [3, 4])
            #expect(try await Reactions.effects(backbone) == 3)
            // The same twice among them is found out by the key of the inbox, and nothing happens.
            let twice = try live(5, "e")
            await #expect(throws: (any Error).self) {
                try await inbox.process([twice, Inbox.Live(event: twice.event, key: Array("f".utf8))], by: counting)
            }
            #expect(try await Reactions.effects(backbone) == 3)
        }
    }
}

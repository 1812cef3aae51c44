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
            var configuration = ReactionConsumer.Configuration()
            configuration.together = 7
            try await Reactions.consuming(backbone, [Reactions.several()], configuration: configuration) {
                let admin = try KafkaAdmin(backbone.kafka, logger: .silent)
                try await Waiting.until("all are dealt with", within: .seconds(45)) {
                    let lag = try await admin.lag(of: "atrium.billing", topics: [ThingHappenedV1.topic])
                    return lag.reduce(0) { $0 + ($1.committed ?? 0) } == 240
                }
                await admin.close()
            }
            // By transaction, in the order of their numbers.
            let effects = try await backbone.plane.asSuperuser(
                """
                SELECT array_agg(split_part(key, '-', 1)::int) FROM billing.receipts
                GROUP BY xmin::text::bigint ORDER BY xmin::text::bigint
                """
            ).map { try $0.decode([Int32].self).map { Int($0) } }
            #expect(effects.flatMap(\.self).sorted() == Array(0..<120))
            #expect(effects.contains { $0.count > 1 } && effects.allSatisfy { $0.count <= 7 })
            #expect(effects.allSatisfy { Set($0.map { $0 % 2 }).count == 1 }, "of one tenant")
            for key in 0..<40 {
                #expect(effects.flatMap(\.self).filter { $0 % 40 == key } == [key, key + 40, key + 80])
            }
        }
    }

    @Test("wait together for a database that is away, and none of them is held against another")
    func databaseAway() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Reactions.send(backbone, (0..<30).map { Reactions.record($0, tenant: tenant, key: "key \($0)") })
            let seen = Mutex<[[Int]]>([])
            let cut = Reactions.several { events in
                let numbers = events.map(\.number)
                let isFirst = seen.withLock { seen in
                    seen.append(numbers)
                    return numbers.count > 1 && seen.count { $0.count > 1 } == 1
                }
                guard isFirst else { return }
                try await backbone.plane.asSuperuser(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND usename = 'atrium_app'
                    """)
            }
            try await Reactions.consuming(backbone, [cut]) {
                try await Waiting.until("all took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 30
                }
            }
            let together = seen.withLock { $0.filter { $0.count > 1 } }
            #expect(together.count { $0 == together.first } == 2)
            #expect(try await Reactions.letters(backbone).isEmpty)
        }
    }

    @Test("can't publish anything without saying which of them caused it")
    func causes() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            let forgetful = Subscription.onSeveral(ThingHappenedV1.self, named: "Forgetful") { events, transaction in
                for event in events {
                    let told = try backbone.event(event.payload.number, of: Identifier(UUID()), as: tenant)
                    try Outbox(schema: "billing", signal: RelaySignal()).enqueue(told, in: transaction)
                }
            }
            let inbox = Inbox(role: Backbone.billing, dataPlane: backbone.plane.dataPlane, logger: .silent)
            let events = try (1...2).map { try Self.live($0, "key \($0)", tenant.tenantID) }
            await #expect(throws: EventWithoutCause.self) { try await inbox.process(events, by: forgetful) }
        }
    }

    @Test("are what they are, whatever headers beside a structured event say of its type and tenant")
    func misleadingHeaders() async throws {
        try await Backbone.with { backbone in
            let (a, b): (TenantID, TenantID) = (IdentifierSource.system.next(), IdentifierSource.system.next())
            func structured(_ number: Int, headers: [String: String]) -> KafkaRecord {
                let event = """
                    {"specversion":"1.0","id":"\(IdentifierSource.system.next(EventID.self))","source":"/atrium/orders",\
                    "type":"\(ThingHappenedV1.type)","time":"2026-01-01T00:00:00Z","tenantid":"\(b)",\
                    "correlationid":"\(UUID())","data":{"number":\(number),"tenantId":"\(b)"}}
                    """
                let all = headers.merging(["content-type": "application/cloudevents+json"]) { $1 }
                return KafkaRecord(
                    topic: ThingHappenedV1.topic, key: Array("odd \(number)".utf8), value: Array(event.utf8),
                    headers: all.map { KafkaHeader(name: $0, value: Array($1.utf8)) })
            }
            var records: [KafkaRecord] = []
            for number in 0..<20 {
                records.append(
                    Reactions.record(
                        number, tenant: a, key: "of no interest \(number)", headers: ["ce_type": "orders.x.y.v1"]))
                records.append(Reactions.record(number, tenant: a, key: "key \(number)"))
            }
            records.insert(
                structured(100, headers: ["ce_type": "orders.x.y.v1", "ce_tenantid": a.description]), at: 20)
            records.insert(
                structured(101, headers: ["ce_type": ThingHappenedV1.type, "ce_tenantid": a.description]), at: 21)
            for index in records.indices { records[index].partition = 1 }
            try await Reactions.send(backbone, records)
            try await Reactions.consuming(backbone, [Reactions.several()]) {
                try await Waiting.until("all took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 22
                }
            }
            let odd = try await backbone.plane.asSuperuser(
                "SELECT tenant_id FROM billing.receipts WHERE key LIKE '10_-%'"
            ).map { try $0.decode(TenantID.self) }
            #expect(odd == [b, b])
            let kept = try await backbone.plane.asSuperuser("SELECT count(*) FROM billing.inbox WHERE tenant_id = \(b)")
            #expect(try kept[0].decode(Int64.self) == 2)
            #expect(try await Reactions.letters(backbone).isEmpty)
        }
    }

    private static func live(_ number: Int, _ key: String, _ tenant: TenantID) throws -> Inbox.Live {
        let record = Reactions.record(number, tenant: tenant, key: key)
        let message = KafkaMessage(
            topic: record.topic, partition: 0, offset: 0, key: record.key, value: record.value,
            headers: record.headers, timestamp: 0)
        return Inbox.Live(event: try ReceivedEvent(message), key: Array(key.utf8))
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
            let known = try Self.live(1, "a", tenant)
            #expect(try await inbox.process([known], by: Reactions.several()) == [.processed])
            try await backbone.plane.asSuperuser(
                """
                INSERT INTO billing.parked_keys (tenant_id, topic, key, kind, reason)
                VALUES (\(tenant), \(ThingHappenedV1.topic), \(Array("b".utf8)), 'failed', 'x')
                """)
            let events = [
                try Self.live(2, "b", tenant), known, try Self.live(3, "c", tenant), try Self.live(4, "d", tenant),
            ]
            let numbers = Mutex<[Int]>([])
            let counting = Reactions.several { events in numbers.withLock { $0 = events.map(\.number) } }
            #expect(try await inbox.process(events, by: counting) == [nil, .duplicate, .processed, .processed])
            #expect(numbers.withLock { $0 } == [3, 4])
            #expect(try await Reactions.effects(backbone) == 3)
            // The same twice among them is found out by the key of the inbox, and nothing happens.
            let twice = try Self.live(5, "e", tenant)
            await #expect(throws: (any Error).self) {
                try await inbox.process([twice, Inbox.Live(event: twice.event, key: Array("f".utf8))], by: counting)
            }
            #expect(try await Reactions.effects(backbone) == 3)
        }
    }
}

import Foundation
import Kafka
import Kernel
import Messaging
import Postgres
import ServiceLifecycle
import Synchronization
import Tenancy
import TestSupport
import Testing

private struct ThingNamedV1: IntegrationEvent {
    static let type = "orders.thing.named.v1"
    static let deprecation: EventDeprecation? = EventDeprecation(
        from: Timestamp("2026-11-01T00:00:00Z")!, sunset: Timestamp("2027-05-01T00:00:00Z")!,
        migration: "https://example.com/move")

    let tenantId: TenantID
    let name: String
}

private struct ThingNamedV2: SideBySideEvent {
    static let type = "orders.thing.named.v2"

    let tenantId: TenantID
    let first: String
    let last: String

    init(tenantId: TenantID, first: String, last: String) {
        (self.tenantId, self.first, self.last) = (tenantId, first, last)
    }

    init(upcasting former: ThingNamedV1) {
        let parts = former.name.split(separator: " ").map(String.init)
        self.init(tenantId: former.tenantId, first: parts[0], last: parts[1])
    }

    var predecessor: ThingNamedV1 { ThingNamedV1(tenantId: tenantId, name: "\(first) \(last)") }
}

private struct ThingNamedV3: SideBySideEvent {
    static let type = "orders.thing.named.v3"

    let tenantId: TenantID
    let names: [String]

    init(tenantId: TenantID, names: [String]) { (self.tenantId, self.names) = (tenantId, names) }

    init(upcasting former: ThingNamedV2) { self.init(tenantId: former.tenantId, names: [former.first, former.last]) }

    var predecessor: ThingNamedV2 { ThingNamedV2(tenantId: tenantId, first: names[0], last: names[1]) }
}

@Suite("A fact in several versions")
struct SideBySideTests {
    private static func publish(_ backbone: Backbone, _ tenant: TenantContext, _ key: UUID = UUID()) async throws {
        try await backbone.plane.dataPlane.write(tenant, as: Backbone.orders) { transaction in
            try backbone.outbox.enqueue(
                [
                    OutgoingFact(
                        ThingNamedV3(tenantId: tenant.tenantID, names: ["Ada", "Byron"]), aggregateID: key,
                        aggregateVersion: 7, at: WallClock.system.now(), identifiers: .system)
                ], in: transaction)
        }
    }

    @Test("is published newest first under one key, and each version knows the others")
    func headers() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test(IdentifierSource.system.next())
            let key = UUID()
            try await Self.publish(backbone, tenant, key)
            try await backbone.relaying {
                let events = try await backbone.published(3)
                #expect(events.map { $0.header("ce_type") } == [3, 2, 1].map { "orders.thing.named.v\($0)" })
                #expect(Set(events.map { $0.header("ce_id") }).count == 3)
                #expect(Set(events.map { $0.header("ce_factid") }) == [events[2].header("ce_id")])
                #expect(events[0].header("ce_alsoas") == "orders.thing.named.v2,orders.thing.named.v1")
                #expect(events[1].header("ce_alsoas") == "orders.thing.named.v3,orders.thing.named.v1")
                #expect(Set(events.map { $0.header("ce_sequence") }).count == 1)
                #expect(Set(events.map(\.key)).count == 1 && Set(events.map(\.partition)).count == 1)
                #expect(events[0].text == #"{"names":["Ada","Byron"],"tenantId":"\#(tenant.tenantID)"}"#)
                #expect(events[2].text == #"{"name":"Ada Byron","tenantId":"\#(tenant.tenantID)"}"#)
                #expect(events[2].header("ce_deprecated") == "true")
                #expect(events[2].header("ce_deprecationfrom") == "2026-11-01T00:00:00Z")
                #expect(events[2].header("ce_deprecationsunset") == "2027-05-01T00:00:00Z")
                #expect(events[2].header("ce_deprecationmigration") == "https://example.com/move")
                for event in events.prefix(2) { #expect(event.header("ce_deprecated") == nil) }
            }
        }
    }

    @Test("in one version alone is what it always was")
    func single() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test(IdentifierSource.system.next())
            try await backbone.publish(1, of: IdentifierSource.system.next(), as: tenant)
            try await backbone.relaying {
                let event = try await backbone.published(1)[0]
                for header in ["ce_factid", "ce_alsoas", "ce_deprecated"] { #expect(event.header(header) == nil) }
            }
        }
    }

    @Test("takes effect once, whichever version a reaction is written for, and also across a deployment")
    func once() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test(IdentifierSource.system.next())
            let key: Identifier<Void> = IdentifierSource.system.next()
            try await Self.publish(backbone, tenant, key.uuid)
            let ids = Mutex<Set<EventID>>([])
            // What a duplicate does is rolled back: what counts is what the database has in the end.
            @Sendable func reaction<Event: IntegrationEvent>(_: Event.Type, named name: String) -> Subscription {
                .on(Event.self, named: name) { event, transaction in
                    ids.withLock { _ = $0.insert(event.id) }
                    transaction.enqueue(
                        CommandReceipt(
                            key: "\(name) \(Event.type) \(UUID())", fingerprint: [], status: 200, headers: [], body: []),
                        in: "billing")
                }
            }
            @Sendable func effects() async throws -> [String] {
                try await backbone.plane.asSuperuser("SELECT key FROM billing.receipts ORDER BY key")
                    .map { try $0.decode(String.self).split(separator: " ").prefix(2).joined(separator: " ") }
            }
            @Sendable func consuming(
                _ group: String, _ subscriptions: [Subscription], _ body: @Sendable () async throws -> Void
            ) async throws {
                let consumer = try KafkaConsumer(
                    backbone.kafka, group: group, topics: [ThingNamedV1.topic], logger: .silent)
                try await backbone.running(
                    [
                        consumer,
                        ReactionConsumer(
                            context: Backbone.billing, subscriptions: subscriptions, consumer: consumer,
                            dataPlane: backbone.plane.dataPlane, logger: .silent),
                    ], body)
            }
            try await backbone.relaying {
                _ = try await backbone.published(3)
                let all = [
                    reaction(ThingNamedV1.self, named: "old"), reaction(ThingNamedV2.self, named: "middle"),
                    reaction(ThingNamedV3.self, named: "new"),
                ]
                try await consuming("first", all) {
                    try await Waiting.until("each reaction took effect") { try await effects().count == 3 }
                }
                // New code reads everything again: what the old one has done under that name stays done.
                let last = Mutex(false)
                let deployed = [
                    reaction(ThingNamedV3.self, named: "old"), reaction(ThingNamedV2.self, named: "middle"),
                ]
                let marker = Subscription.on(ThingHappenedV1.self, named: "marker") { _, _ in
                    last.withLock { $0 = true }
                }
                try await backbone.publish(1, of: key, as: tenant)
                try await consuming("second", deployed + [marker]) {
                    try await Waiting.until("the marker came") { last.withLock { $0 } }
                }
            }
            #expect(
                try await effects() == [
                    "middle orders.thing.named.v2", "new orders.thing.named.v3", "old orders.thing.named.v1",
                ])
            #expect(ids.withLock { $0.count } == 1)
        }
    }
}

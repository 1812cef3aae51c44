import Kafka
import Kernel
import Messaging
import Synchronization
import Tenancy
import TestSupport
import Testing

@Suite("An event in a version that is not known")
struct VersionTests {
    private static func record(
        _ number: Int, version: Int, tenant: TenantID, key: String = "a", id: EventID = IdentifierSource.system.next(),
        fact: EventID? = nil, alsoAs: String? = nil
    ) -> KafkaRecord {
        Reactions.record(
            number, tenant: tenant, key: key, id: id,
            headers: [
                "ce_type": "orders.thing.happened.v\(version)", "ce_factid": fact?.description, "ce_alsoas": alsoAs,
            ].compactMapValues { $0 })
    }

    @Test("parks its key, and is taken in with what is behind it once the program knows the version")
    func waits() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Reactions.send(
                backbone,
                [
                    Self.record(1, version: 2, tenant: tenant), Self.record(2, version: 1, tenant: tenant),
                    Self.record(3, version: 1, tenant: tenant, key: "b"),
                ])
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                try await Waiting.until("the other key is through, and this one waits", within: .seconds(45)) {
                    let letters = try await Reactions.letters(backbone)
                    return try await Reactions.effects(backbone) == 1 && letters.count == 2
                }
            }
            #expect(try await Reactions.letters(backbone).map(\.kind) == [.unknownVersion, .waiting])

            // The next release, which knows version 2: its consumer sees to it by itself.
            let ran = Mutex<[Int]>([])
            let newer = Subscription.on(NewerThingHappened.self, named: "CountThing") { event, transaction in
                transaction.afterCommit { ran.withLock { $0.append(event.payload.number) } }
            }
            let old = Subscription.on(ThingHappenedV1.self, named: "CountThing") { event, transaction in
                transaction.afterCommit { ran.withLock { $0.append(event.payload.number) } }
            }
            try await Reactions.consuming(backbone, [newer, old]) {
                try await Waiting.until("both were taken in", within: .seconds(45)) {
                    try await Reactions.letters(backbone).isEmpty
                }
            }
            #expect(ran.withLock { $0 } == [1, 2])
            let letters = Reactions.replay(backbone, []).deadLetters
            #expect(try await letters.parked().isEmpty)
            #expect(try await letters.actions().allSatisfy { $0.actor == "atrium" })
        }
    }

    @Test("is passed over where the same fact comes in a version that is, and the fact takes effect once")
    func alternative() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            let fact: EventID = IdentifierSource.system.next()
            let older = Self.record(1, version: 1, tenant: tenant, fact: fact, alsoAs: "orders.thing.happened.v2")
            try await Reactions.send(
                backbone,
                [
                    Self.record(1, version: 2, tenant: tenant, fact: fact, alsoAs: ThingHappenedV1.type), older,
                    // The same fact under another event's identifier.
                    Self.record(1, version: 1, tenant: tenant, fact: fact, alsoAs: "orders.thing.happened.v2"),
                    Self.record(2, version: 1, tenant: tenant),
                ])
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                try await Waiting.until("the last took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 2
                }
            }
            #expect(try await Reactions.letters(backbone).isEmpty)
        }
    }

    @Test("of a fact that nobody reacts to is nobody's business")
    func foreign() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Reactions.send(
                backbone,
                [
                    Reactions.record(1, tenant: tenant, key: "a", headers: ["ce_type": "orders.thing.vanished.v7"]),
                    Reactions.record(2, tenant: tenant, key: "a"),
                ])
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                try await Waiting.until("the second took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 1
                }
            }
            #expect(try await Reactions.letters(backbone).isEmpty)
        }
    }
}

/// What a later release knows.
struct NewerThingHappened: IntegrationEvent {
    static let type = "orders.thing.happened.v2"

    let tenantId: TenantID
    let number: Int
}

import Kafka
import Kernel
import Messaging
import Synchronization
import Tenancy
import TestSupport
import Testing

/// Says of each tenant what the test wants it to be.
final class Registry: TenantLocator {
    private let homes: TestHomes
    private let hidden = Mutex<Set<TenantID>>([])
    private let gone = Mutex<Set<TenantID>>([])
    private let suspended = Mutex<Set<TenantID>>([])

    init(_ homes: TestHomes) { self.homes = homes }

    func hide(_ tenant: TenantID, _ isHidden: Bool = true) {
        hidden.withLock { set in _ = isHidden ? set.insert(tenant).inserted : set.remove(tenant) != nil }
    }

    func remove(_ tenant: TenantID) { gone.withLock { _ = $0.insert(tenant) } }
    func suspend(_ tenant: TenantID) { suspended.withLock { _ = $0.insert(tenant) } }

    func known(_ tenant: TenantID) -> Residence? { nil }

    func residence(of tenant: TenantID) async throws -> Residence? {
        if hidden.withLock({ $0.contains(tenant) }) || gone.withLock({ $0.contains(tenant) }) { return nil }
        guard let home = try await homes.residence(of: tenant) else { return nil }
        guard suspended.withLock({ $0.contains(tenant) }) else { return home }
        return Residence(tenantID: tenant, slug: home.slug, state: .suspended, placement: home.placement)
    }

    func isGone(_ tenant: TenantID) async throws -> Bool { gone.withLock { $0.contains(tenant) } }
}

@Suite("An event of a tenant")
struct TenantTreatmentTests {
    private static func with(
        tier: Tier = .pool, _ body: @Sendable (Backbone, Registry, DataPlane) async throws -> Void
    ) async throws {
        try await Backbone.with(tier: tier) { backbone in
            let registry = Registry(backbone.plane.homes)
            let plane = DataPlane(
                fleet: backbone.plane.fleet, locator: registry, signer: ContextSigner(TestDataPlane.contextKey))
            try await body(backbone, registry, plane)
        }
    }

    @Test("that is suspended is taken in: it tells of what has happened")
    func suspended() async throws {
        try await Self.with { backbone, registry, plane in
            let tenant: TenantID = IdentifierSource.system.next()
            registry.suspend(tenant)
            try await Reactions.send(backbone, [Reactions.record(1, tenant: tenant)])
            try await Reactions.consuming(backbone, [Reactions.subscription()], dataPlane: plane) {
                try await Waiting.until("it took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 1
                }
            }
        }
    }

    @Test("that is gone is passed over, and nothing waits for it")
    func gone() async throws {
        try await Self.with { backbone, registry, plane in
            let (tenant, other): (TenantID, TenantID) = (IdentifierSource.system.next(), IdentifierSource.system.next())
            registry.remove(tenant)
            try await Reactions.send(
                backbone,
                [Reactions.record(1, tenant: tenant, key: "a"), Reactions.record(2, tenant: other, key: "a")])
            try await Reactions.consuming(backbone, [Reactions.subscription()], dataPlane: plane) {
                try await Waiting.until("the other's took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 1
                }
            }
            #expect(try await Reactions.letters(backbone).isEmpty)
        }
    }

    /// How an event that was discarded comes again.
    enum Return: CaseIterable {
        case toTheSameProcess, toTheNextProcess, byReplay
    }

    @Test(
        "that nobody knew stays without effect if it was discarded then, wherever the tenant's data is",
        arguments: Return.allCases)
    func discarded(_ way: Return) async throws {
        try await Self.with(tier: .silo) { backbone, registry, plane in
            let tenant: TenantID = IdentifierSource.system.next()
            registry.hide(tenant)
            let record = Reactions.record(1, tenant: tenant, key: "a")
            try await Reactions.send(backbone, [record])
            let ran = Mutex<[Int]>([])
            let counting = Subscription.on(ThingHappenedV1.self, named: "CountThing") { event, transaction in
                transaction.afterCommit { ran.withLock { $0.append(event.payload.number) } }
            }
            var configuration = ReactionConsumer.Configuration()
            configuration.unknownTenantPatience = .milliseconds(200)
            let comesAgain: @Sendable () async throws -> Void = {
                registry.hide(tenant, false)
                try await Reactions.send(backbone, [record, Reactions.record(2, tenant: tenant, key: "a")])
                try await Waiting.until("the one behind it took effect", within: .seconds(45)) {
                    ran.withLock { $0.contains(2) }
                }
            }
            try await Reactions.consuming(backbone, [counting], configuration: configuration, dataPlane: plane) {
                try await Waiting.until("it waits", within: .seconds(45)) {
                    try await Reactions.letters(backbone).count == 1
                }
                let desk = DeadLetterReplay(
                    context: Backbone.billing, subscriptions: [counting], dataPlane: plane,
                    in: { backbone.plane.homes.databases }, producer: nil, logger: .silent)
                let steps = try await desk.discard(.key(Reactions.key(tenant, "a")), reason: "nobody's", by: "test")
                #expect(steps.map(\.unparked) == [true])
                if way == .toTheSameProcess { try await comesAgain() }
            }
            switch way {
            case .toTheSameProcess: break
            case .toTheNextProcess:
                try await Reactions.consuming(
                    backbone, [counting], configuration: configuration, dataPlane: plane, comesAgain)
            case .byReplay:
                registry.hide(tenant, false)
                #expect(try await Self.replayed(backbone, counting, plane) == .init(duplicates: 1))
            }
            #expect(ran.withLock { $0 } == (way == .byReplay ? [] : [2]))
        }
    }

    private static func replayed(
        _ backbone: Backbone, _ subscription: Subscription, _ plane: DataPlane
    ) async throws -> SpanReplay.Tally {
        let replay = SpanReplay(
            context: Backbone.billing, subscriptions: [subscription], dataPlane: plane, logger: .silent)
        let reader = try KafkaReader(backbone.kafka, logger: .silent)
        do {
            let spans = try await reader.spans(of: try await reader.partitions(of: ThingHappenedV1.topic))
            let tally = try await replay.replay(
                spans.mapValues { $0.first..<$0.end }, from: reader, isTrial: false, report: { _ in })
            await reader.close()
            return tally
        } catch {
            await reader.close()
            throw error
        }
    }

    @Test("that nobody knows waits, and is taken in in order once the tenant is known", arguments: [Tier.pool, .silo])
    func unknown(_ tier: Tier) async throws {
        try await Self.with(tier: tier) { backbone, registry, plane in
            let tenant: TenantID = IdentifierSource.system.next()
            registry.hide(tenant)
            try await Reactions.send(backbone, [1, 2].map { Reactions.record($0, tenant: tenant, key: "a") })
            let ran = Mutex<[Int]>([])
            let counting = Subscription.on(ThingHappenedV1.self, named: "CountThing") { event, transaction in
                transaction.afterCommit { ran.withLock { $0.append(event.payload.number) } }
            }
            var configuration = ReactionConsumer.Configuration()
            configuration.unknownTenantPatience = .milliseconds(200)
            configuration.reconsideration = .milliseconds(200)
            try await Reactions.consuming(backbone, [counting], configuration: configuration, dataPlane: plane) {
                try await Waiting.until("both wait", within: .seconds(45)) {
                    try await Reactions.letters(backbone).count == 2
                }
                #expect(try await Reactions.letters(backbone).map(\.kind) == [.unknownTenant, .waiting])
                registry.hide(tenant, false)
                try await Reactions.send(backbone, [Reactions.record(3, tenant: tenant, key: "a")])
                try await Waiting.until("all were taken in", within: .seconds(45)) {
                    let isEmpty = try await Reactions.letters(backbone).isEmpty
                    return isEmpty && ran.withLock { $0.count } == 3
                }
            }
            #expect(ran.withLock { $0 } == [1, 2, 3])
            #expect(try await Reactions.letters(backbone).isEmpty)
        }
    }
}

import DevStack
import Foundation
import Kafka
import Kernel
import Messaging
import Postgres
import Synchronization
import Tenancy
import TestSupport
import Testing

@Suite("A key whose event fails")
struct ParkedKeyTests {
    struct Broken: Error {}

    /// What numbers took effect, in the order in which they did.
    private static func order(_ backbone: Backbone) async throws -> [Int] {
        try await backbone.plane.asSuperuser(
            "SELECT split_part(key, '-', 2)::bigint FROM billing.receipts ORDER BY created_at, key"
        ).map { Int(try $0.decode(Int64.self)) }
    }

    /// Events 1, 2 and 3 of one key, the first of which fails, and one of another key.
    private static func park(
        _ backbone: Backbone, _ tenant: TenantID, failing: Int = 1
    ) async throws {
        try await Reactions.send(
            backbone,
            (1...3).map { Reactions.record($0, tenant: tenant, key: "a") }
                + [Reactions.record(9, tenant: tenant, key: "b")])
        let ran = Mutex<Set<Int>>([])
        let broken = Reactions.subscription { event in
            ran.withLock { _ = $0.insert(event.number) }
            if event.number == failing { throw Broken() }
        }
        try await Reactions.consuming(backbone, [broken]) {
            try await Waiting.until("all are through or set aside", within: .seconds(45)) {
                try await Reactions.letters(backbone).count == 3 && ran.withLock { $0.contains(9) }
            }
            // A silo's effects are in a database of its own.
            if backbone.plane.homes.known(tenant)?.placement.tier != .silo {
                try await Waiting.until("the other one took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 1
                }
            }
        }
    }

    @Test("is parked: what comes behind it waits, and the other keys of its partition go on", arguments: Tier.allCases)
    func parks(_ tier: Tier) async throws {
        try await Backbone.with(tier: tier) { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Self.park(backbone, tenant)
            let letters = try await Reactions.letters(backbone)
            #expect(letters.map(\.kind) == [.failed, .waiting, .waiting])
            let parked = try await Reactions.replay(backbone, []).deadLetters.parked()
            #expect(parked.map(\.key) == [Reactions.key(tenant, "a")])
            #expect(parked.first?.letters == 3 && parked.first?.kind == .failed)
            #expect(parked.first?.database == backbone.plane.homes.known(tenant)?.placement.database)
        }
    }

    @Test("is replayed in order once mended, up to the last of its letters, and is free then")
    func replays() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Self.park(backbone, tenant)
            let replay = Reactions.replay(backbone, [Reactions.subscription()])
            let steps = try await replay.replay(.key(Reactions.key(tenant, "a")), by: "operator:ann", reason: "mended")
            #expect(steps.map(\.outcome) == [.processed, .processed, .processed])
            #expect(steps.map(\.unparked) == [false, false, true])
            #expect(try await replay.deadLetters.parked().isEmpty)
            #expect(try await Self.order(backbone) == [9, 1, 2, 3])
            let actions = try await replay.deadLetters.actions()
            #expect(actions.count == 3)
            #expect(actions.allSatisfy { $0.actor == "operator:ann" && $0.action == "replay" && $0.reason == "mended" })
            // What comes now is taken in as ever.
            try await Reactions.send(backbone, [Reactions.record(4, tenant: tenant, key: "a")])
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                try await Waiting.until("the fourth took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 5
                }
            }
        }
    }

    @Test("is replayed no further than the letter that fails again, which says why")
    func stops() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Self.park(backbone, tenant)
            let replay = Reactions.replay(
                backbone, [Reactions.subscription { if $0.number == 2 { throw Rejection("two is too much") } }])
            let steps = try await replay.replay(.key(Reactions.key(tenant, "a")), by: "test")
            #expect(steps.map(\.outcome) == [.processed, .failed("two is too much"), .notTried])
            let parked = try await replay.deadLetters.parked()
            #expect(parked.first?.reason == "two is too much" && parked.first?.letters == 2)
        }
    }

    @Test("shows in a dry run what a replay would do, and nothing changes")
    func dryRun() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Self.park(backbone, tenant)
            let replay = Reactions.replay(
                backbone, [Reactions.subscription { if $0.number == 3 { throw Rejection("no three") } }])
            let steps = try await replay.replay(.key(Reactions.key(tenant, "a")), dryRun: true, by: "test")
            #expect(steps.map(\.outcome) == [.processed, .processed, .failed("no three")])
            #expect(try await Reactions.letters(backbone).count == 3)
            #expect(try await Reactions.effects(backbone) == 1)
            #expect(try await replay.deadLetters.actions().isEmpty)
        }
    }

    @Test("keeps its order: a letter is neither replayed nor discarded before those that it waits behind")
    func order() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Self.park(backbone, tenant)
            let letters = try await Reactions.letters(backbone).map(\.id)
            let replay = Reactions.replay(backbone, [Reactions.subscription()])
            let refusal = DeadLetterReplay.Failure.outOfOrder(letters[1], behind: letters[0])
            await #expect(throws: refusal) { try await replay.replay(.letters([letters[1]]), by: "test") }
            await #expect(throws: refusal) {
                try await replay.discard(.letters([letters[1]]), reason: "no", by: "test")
            }
            _ = try await replay.discard(.letters([letters[1]]), reason: "sold twice", by: "test", outOfOrder: true)
            // Given in any order, they are replayed in their own.
            let steps = try await replay.replay(.letters([letters[2], letters[0]]), by: "test")
            #expect(steps.map(\.letter.id) == [letters[0], letters[2]])
            #expect(steps.last?.unparked == true)
            #expect(try await Self.order(backbone) == [9, 1, 3])
        }
    }

    @Test("is free once its letters are discarded, and their events take no effect when they come again")
    func discards() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Self.park(backbone, tenant)
            let replay = Reactions.replay(backbone, [Reactions.subscription()])
            let letters = try await Reactions.letters(backbone)
            let steps = try await replay.discard(
                .key(Reactions.key(tenant, "a")), reason: "a test order", by: "operator:ann")
            #expect(steps.last?.unparked == true)
            let shown = try #require(try await replay.deadLetters.show(letters[0].id))
            #expect(shown.resolution == .discarded && shown.resolvedBy == "operator:ann")
            #expect(shown.resolutionReason == "a test order")
            // The same events once more, as after a rewind of the outbox.
            try await Reactions.send(
                backbone,
                letters.map { KafkaRecord(topic: $0.topic, key: $0.key, value: $0.value, headers: $0.headers) }
                    + [Reactions.record(8, tenant: tenant, key: "a")])
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                try await Waiting.until("the one behind them took effect", within: .seconds(45)) {
                    try await Self.order(backbone).contains(8)
                }
            }
            #expect(try await Self.order(backbone) == [9, 8])
            #expect(try await Reactions.letters(backbone).isEmpty)
        }
    }

    @Test("keeps one letter of an event that comes again while it waits")
    func again() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Self.park(backbone, tenant)
            let letters = try await Reactions.letters(backbone)
            try await Reactions.send(
                backbone,
                letters.map { KafkaRecord(topic: $0.topic, key: $0.key, value: $0.value, headers: $0.headers) }
                    + [Reactions.record(10, tenant: tenant, key: "b")])
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                try await Waiting.until("they are through", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 2
                }
                try await Waiting.until("all are read", within: .seconds(45)) {
                    try await Reactions.letters(backbone).count == 3
                }
            }
            #expect(try await Reactions.letters(backbone).map(\.id) == letters.map(\.id))
        }
    }

    @Test("is let go just as an event is about to wait behind it, whose turn has come then")
    func letGoMeanwhile() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Self.park(backbone, tenant)
            let door = try await PostgresConnection.connect(
                ConnectionSettings(backbone.plane.database.address.url), logger: .silent)
            defer { door.close() }
            // As whoever closes its last letter holds it.
            try await door.script("BEGIN; SELECT FROM billing.parked_keys FOR UPDATE")
            try await Reactions.send(backbone, [Reactions.record(4, tenant: tenant, key: "a")])
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                try await Waiting.until("the fourth found the key parked", within: .seconds(45)) {
                    try await backbone.plane.asSuperuser(
                        """
                        SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND usename = 'atrium_app' AND wait_event_type = 'Lock'
                        """)[0].decode(Int64.self) >= 1
                }
                try await door.script(
                    """
                    UPDATE billing.dead_letters SET resolved_at = now(), resolution = 'replayed', resolved_by = 'ann';
                    DELETE FROM billing.parked_keys;
                    COMMIT
                    """)
                try await Waiting.until("the fourth took effect", within: .seconds(45)) {
                    try await Self.order(backbone).contains(4)
                }
            }
            #expect(try await Reactions.letters(backbone).isEmpty)
        }
    }

    @Test("is let go while events are added to it, and none is left behind in fifty races")
    func races() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            let replay = Reactions.replay(backbone, [Reactions.subscription()])
            try await Self.park(backbone, tenant)
            let key = Reactions.key(tenant, "a")
            try await Reactions.send(backbone, (11...60).map { Reactions.record($0, tenant: tenant, key: "a") })
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                while try await Reactions.effects(backbone) < 54 {
                    _ = try await replay.replay(.key(key), by: "test")
                }
            }
            #expect(try await Self.order(backbone) == [9, 1, 2, 3] + Array(11...60))
            #expect(try await replay.deadLetters.parked().isEmpty)
            #expect(try await Reactions.letters(backbone).isEmpty)
        }
    }
}

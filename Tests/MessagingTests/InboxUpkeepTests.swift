import Kafka
import Kernel
import Logging
import Postgres
import Synchronization
import Tenancy
import TestSupport
import Testing

@testable import Messaging

@Suite("The inbox")
struct InboxUpkeepTests {
    private static let now = WallClock.system.now()

    /// A day as its partition is called, some days from now.
    private static func day(_ days: Int) -> String {
        String(now.advanced(by: .seconds(days * 86_400)).description.prefix(10)).replacing("-", with: "")
    }

    private static func id(_ days: Int) -> EventID {
        let moment = now.advanced(by: .seconds(days * 86_400))
        return IdentifierSource.version7(clock: WallClock { moment }).next()
    }

    private static func upkeep(
        _ backbone: Backbone, oldestHeld: Int, brokerHasOutlived: @escaping @Sendable (Timestamp) -> Bool
    ) -> InboxUpkeep {
        InboxUpkeep(
            context: Backbone.billing,
            sources: RedeliveryHorizon.Sources(
                oldestHeld: { now.advanced(by: .seconds(oldestHeld * 86_400)) }, brokerHasOutlived: brokerHasOutlived),
            dataPlane: backbone.plane.dataPlane, in: { backbone.plane.homes.databases }, logger: .silent)
    }

    /// An inbox with a partition of twenty days ago and a row of an event of that day in it.
    private static func withOldPartition(_ body: @Sendable (Backbone, TenantContext) async throws -> Void) async throws
    {
        try await Backbone.with { backbone in
            let name = "inbox_\(day(-20))"
            let tenant = TenantContext.test()
            for statement: SQL in [
                "CREATE TABLE billing.\(unsafeSQL: name) (LIKE billing.inbox INCLUDING ALL)",
                "ALTER TABLE billing.\(unsafeSQL: name) OWNER TO atrium_owner",
                """
                ALTER TABLE billing.inbox ATTACH PARTITION billing.\(unsafeSQL: name) FOR VALUES FROM \
                ('\(unsafeSQL: bound(-20))') TO ('\(unsafeSQL: bound(-19))')
                """,
                """
                INSERT INTO billing.inbox (tenant_id, event_id, reaction)
                VALUES ('\(unsafeSQL: tenant.tenantID.description)', '\(unsafeSQL: id(-20).description)', 'x')
                """,
            ] { try await backbone.plane.asSuperuser(statement) }
            try await body(backbone, tenant)
        }
    }

    private static func bound(_ days: Int) -> String {
        let midnight = Timestamp(now.advanced(by: .seconds(days * 86_400)).description.prefix(10) + "T00:00:00Z")
        let hex = String((midnight?.microsecondsSinceEpoch ?? 0) / 1000, radix: 16)
        let padded = String(repeating: "0", count: 12 - hex.count) + hex
        return "\(padded.prefix(8))-\(padded.suffix(4))-0000-0000-000000000000"
    }

    private static func rows(_ backbone: Backbone) async throws -> Int {
        Int(try await backbone.plane.asSuperuser("SELECT count(*) FROM billing.inbox")[0].decode(Int64.self))
    }

    @Test("keeps what was taken in in the partition of its identifier's day, and what has no such day apart")
    func partitions() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Reactions.send(
                backbone,
                [
                    Reactions.record(1, tenant: tenant),
                    Reactions.record(2, tenant: tenant, id: EventID("f0000000-0000-4000-8000-000000000001")!),
                ])
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                try await Waiting.until("both took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 2
                }
            }
            let found = try await backbone.plane.asSuperuser(
                "SELECT tableoid::regclass::text FROM billing.inbox ORDER BY event_id"
            ).map { try $0.decode(String.self) }
            #expect(found == ["billing.inbox_\(Self.day(0))", "billing.inbox_default"])
        }
    }

    @Test("makes the days' partitions ahead, once")
    func ahead() async throws {
        try await Backbone.with { backbone in
            let gone = "inbox_\(Self.day(2))"
            try await backbone.plane.asSuperuser("DROP TABLE billing.\(unsafeSQL: gone)")
            let upkeep = Self.upkeep(backbone, oldestHeld: -14) { _ in false }
            for _ in 0..<2 { #expect(try await upkeep.keep().isEmpty) }
            let there = try await backbone.plane.asSuperuser(
                "SELECT to_regclass('billing.\(unsafeSQL: gone)') IS NOT NULL")[0].decode(Bool.self)
            #expect(there)
        }
    }

    @Test("has no more than a month of partitions made ahead, nor has the outbox, whatever is asked for")
    func bounded() async throws {
        try await Backbone.with { backbone in
            for table in ["inbox", "outbox"] {
                try await backbone.plane.asSuperuser("SELECT billing.extend_\(unsafeSQL: table)(60)")
                let parts = try await backbone.plane.asSuperuser(
                    "SELECT count(*) FROM pg_inherits WHERE inhparent = 'billing.\(unsafeSQL: table)'::regclass")
                #expect((32...36).contains(try parts[0].decode(Int64.self)))
            }
        }
    }

    @Test("forgets events only when the sources hold them no more and the broker has outlived that look")
    func horizon() async throws {
        try await Self.withOldPartition { backbone, _ in
            // The broker may be empty, but a source still holds the day.
            let whileHeld = try await Self.upkeep(backbone, oldestHeld: -25) { _ in true }.keep()
            #expect(whileHeld.isEmpty)
            let whileNear = try await Self.upkeep(backbone, oldestHeld: -18) { _ in true }.keep()
            #expect(whileNear.isEmpty, "identifiers are made before their event is recorded, and clocks differ")
            let whileOut = try await Self.upkeep(backbone, oldestHeld: -14) { _ in false }.keep()
            #expect(whileOut.isEmpty)
            #expect(try await Self.rows(backbone) == 1)
            let dropped = try await Self.upkeep(backbone, oldestHeld: -13) { _ in true }.keep()
            #expect(dropped == ["inbox_\(Self.day(-20))"])
            #expect(try await Self.rows(backbone) == 0)
        }
    }

    @Test("goes by what was seen before the broker's oldest record, not by what is seen now")
    func looks() async throws {
        try await Self.withOldPartition { backbone, _ in
            // A look of now, and a broker whose oldest record is from before it.
            let before = WallClock.system.now()
            let early = try await Self.upkeep(backbone, oldestHeld: -13) { $0 < before }.keep()
            #expect(early.isEmpty)
            let shortly = before.advanced(by: .seconds(1800))
            let onItsWay = try await Self.upkeep(backbone, oldestHeld: -13) { $0 < shortly }.keep()
            #expect(onItsWay.isEmpty, "a relay may still send what it had read before the look")
            #expect(try await Self.rows(backbone) == 1)
            // Later its oldest record is from behind that look.
            let later = before.advanced(by: .seconds(2 * 3600))
            let inTime = try await Self.upkeep(backbone, oldestHeld: -12) { $0 < later }.keep()
            #expect(inTime.count == 1)
        }
    }

    @Test("keeps the day of an event that lies among the dead letters")
    func letters() async throws {
        try await Self.withOldPartition { backbone, tenant in
            let record = Reactions.record(1, tenant: tenant.tenantID, key: "a", id: Self.id(-20))
            try await Reactions.send(backbone, [record])
            struct Broken: Error {}
            try await Reactions.consuming(backbone, [Reactions.subscription { _ in throw Broken() }]) {
                try await Waiting.until("it is set aside", within: .seconds(45)) {
                    try await Reactions.letters(backbone).count == 1
                }
            }
            let whileOpen = try await Self.upkeep(backbone, oldestHeld: -13) { _ in true }.keep()
            #expect(whileOpen.isEmpty)
            let replay = Reactions.replay(backbone, [Reactions.subscription()])
            _ = try await replay.replay(.key(Reactions.key(tenant.tenantID, "a")), by: "test")
            let afterwards = try await Self.upkeep(backbone, oldestHeld: -13) { _ in true }.keep()
            #expect(afterwards.count == 1)
        }
    }

    @Test("keeps the day of a fact that the broker refused, in one version at least, while that may be replayed")
    func refused() async throws {
        try await Backbone.with { backbone in
            let reach = OutboxReach(schema: "orders", dataPlane: backbone.plane.dataPlane, logger: .silent)
            let record = Reactions.record(
                2, tenant: TenantContext.test().tenantID, id: Self.id(-3),
                headers: ["ce_factid": Self.id(-20).description])
            let letter = DeadLetter.outgoing(record, eventID: Self.id(-3), reason: "too large")
            #expect(letter.eventID != letter.factID?.description)
            let database = backbone.plane.fleet.control
            let deadLetters = DeadLetters(
                schema: "orders", dataPlane: backbone.plane.dataPlane, in: { [database] }, logger: .silent)
            #expect(try await deadLetters.keep(letter) == .alone)
            let twentyDays = Self.now.advanced(by: .seconds(-20 * 86_400))
            let whileOpen = try await reach.oldest(in: database)
            #expect(whileOpen <= twentyDays && whileOpen > twentyDays.advanced(by: .seconds(-86_400)))
            try await backbone.plane.asSuperuser(
                "UPDATE orders.dead_letters SET resolved_at = now(), resolution = 'replayed', resolved_by = 'ada'")
            let afterwards = try await reach.oldest(in: database)
            #expect(afterwards > Self.now.advanced(by: .seconds(-2 * 86_400)))
        }
    }

    @Test("tells how far back a source's outbox goes")
    func reach() async throws {
        try await Backbone.with { backbone in
            let reach = OutboxReach(schema: "orders", dataPlane: backbone.plane.dataPlane, logger: .silent)
            let oldest = try await reach.oldest(in: backbone.plane.fleet.control)
            #expect(oldest <= Self.now && oldest > Self.now.advanced(by: .seconds(-2 * 86_400)))
            try await backbone.publish(1, of: IdentifierSource.system.next(), as: .test())
            try await backbone.plane.asSuperuser("UPDATE orders.outbox SET recorded_at = now() - interval '9 days'")
            let older = try await reach.oldest(in: backbone.plane.fleet.control)
            #expect(older < Self.now.advanced(by: .seconds(-8 * 86_400)))
        }
    }
}

import Foundation
import Kafka
import Kernel
import Testing

@testable import Messaging

/// One shard of an outbox in memory, read as the database would be.
private struct ModelShard {
    var rows: [OutboxRow] = []
    private(set) var position: Int64 = 0

    mutating func add(_ count: Int, of tenant: TenantID, in transaction: UInt64) {
        for _ in 0..<count {
            position += 1
            rows.append(
                OutboxRow(
                    shard: 0, position: OutboxPosition(transactionID: transaction, position: position),
                    tenantID: tenant, eventID: IdentifierSource.system.next()
                ) { KafkaRecord(topic: "t", value: nil) })
        }
    }

    /// - Parameters:
    ///   - horizon: of the first look.
    ///   - later: of the looks that follow it.
    func find(from: ShardPosition, horizon: UInt64, later: UInt64, others: Int, _ limits: ShardLimits) -> ShardFinding {
        let turns = from.lanes.filter { !$0.isClosed }.prefix(limits.lanes)
        var found = ShardFinding()
        found.laneLimit = limits.lane(of: turns.count, beside: others)
        found.read = Set(turns.map(\.tenant))
        let behind = rows.filter { $0.position > from.main }
        let ends = behind.filter { $0.position.transactionID < horizon }
        if ends.count >= limits.window { found.windowEnd = ends[limits.window - 1].position }
        found.main = Array(
            behind.filter { $0.position.transactionID < later }.prefix(limits.window).filter { row in
                !from.lanes.contains { $0.tenant == row.tenantID && (!$0.isClosed || row.position <= $0.position) }
            }.prefix(limits.page))
        for lane in turns {
            found.lanes[lane.tenant] = Array(
                rows.filter {
                    $0.tenantID == lane.tenant && $0.position > lane.position && $0.position.transactionID < later
                }.prefix(found.laneLimit))
        }
        return found
    }
}

@Suite("A shard's position")
struct ShardPositionTests {
    private static let limits: ShardLimits = {
        var limits = ShardLimits()
        limits.page = 8
        limits.lanes = 2
        limits.lanesAtMost = 3
        limits.window = 20
        return limits
    }()

    private static let tenants: [TenantID] = (0..<6).map { _ in IdentifierSource.system.next() }

    @Test(
        "leaves out no event, repeats none, and keeps each tenant's order, whoever floods and when", arguments: 1...200)
    func model(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var shard = ModelShard()
        var at = ShardPosition(main: OutboxPosition(transactionID: 0, position: 0))
        var published: [OutboxRow] = []
        var transaction: UInt64 = 3
        var before: UInt64 = 1
        var others = 0
        var rounds = 0
        var isAtEnd = false
        while rounds < 40 || !isAtEnd {
            rounds += 1
            try #require(rounds < 5_000)
            if rounds < 40 {
                for _ in 0..<Int.random(in: 0...3, using: &random) {
                    let tenant = Self.tenants.randomElement(using: &random)!
                    shard.add(
                        Bool.random(using: &random) ? 1 : Int.random(in: 1...60, using: &random), of: tenant,
                        in: transaction)
                    if Bool.random(using: &random) { transaction += 1 }
                }
            } else {
                transaction += 1
            }
            // Transactions that have ended stay so.
            let horizon = UInt64.random(in: max(before, transaction - 2)...transaction, using: &random)
            let later = UInt64.random(in: horizon...transaction, using: &random)
            before = later
            let found = shard.find(from: at, horizon: horizon, later: later, others: others, Self.limits)
            let (events, after, end) = at.after(found, Self.limits, horizon: .before(horizon))
            others = found.main.count
            published += events
            // A crash loses what is not saved, and what is saved is read back as it was.
            at = try ShardPosition(
                transactionID: String(after.main.transactionID), position: after.main.position, lanes: after.storedLanes
            )
            #expect(at == after)
            isAtEnd = end && transaction > (shard.rows.last?.position.transactionID ?? 0) + 3
        }
        #expect(published.count == shard.rows.count)
        #expect(Set(published.map(\.eventID)).count == shard.rows.count)
        for tenant in Self.tenants {
            let positions = published.filter { $0.tenantID == tenant }.map(\.position)
            #expect(positions == positions.sorted())
        }
    }

    @Test("lets another tenant's event past a flood in the second page")
    func flood() throws {
        var shard = ModelShard()
        shard.add(10_000, of: Self.tenants[0], in: 1)
        shard.add(1, of: Self.tenants[1], in: 2)
        var limits = Self.limits
        limits.window = 20_000
        var at = ShardPosition(main: OutboxPosition(transactionID: 0, position: 0))
        var before = 0
        for page in 1...3 {
            let found = shard.find(from: at, horizon: 3, later: 3, others: 0, limits)
            let (events, after, _) = at.after(found, limits, horizon: .before(3))
            if let place = events.firstIndex(where: { $0.tenantID == Self.tenants[1] }) {
                #expect(page == 2)
                #expect(before + place <= limits.page)
                return
            }
            before += events.count
            at = after
        }
        Issue.record("three pages without the other tenant's event")
    }

    @Test("goes on in windows where a flood leaves nothing else to find")
    func windows() throws {
        var shard = ModelShard()
        shard.add(100, of: Self.tenants[0], in: 1)
        var at = ShardPosition(
            main: OutboxPosition(transactionID: 0, position: 0),
            lanes: [.init(tenant: Self.tenants[0], position: OutboxPosition(transactionID: 0, position: 0))])
        let found = shard.find(from: at, horizon: 2, later: 2, others: 0, Self.limits)
        #expect(found.main.isEmpty)
        at = at.after(found, Self.limits, horizon: .before(2)).position
        #expect(at.main == OutboxPosition(transactionID: 1, position: 20))
    }
}

/// Chance that can be had again.
private struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

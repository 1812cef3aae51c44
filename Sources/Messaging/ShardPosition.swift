import Foundation
import Kernel

/// How far one shard of an outbox has been published: everything up to `main`, but for the tenants that have a lane.
///
/// A tenant whose events crowd the shard gets a lane of its own: the others go on past them, and the lane is worked off
/// beside them a little at a time. At any time all of a tenant's events go one way or the other, so their order is kept.
struct ShardPosition: Hashable, Sendable {
    struct Lane: Hashable, Sendable {
        let tenant: TenantID
        /// The tenant's events are published up to here.
        var position: OutboxPosition
        /// Whether what comes behind goes with the others again; the lane ends when they have come this far.
        var isClosed = false
    }

    var main: OutboxPosition
    /// Those that were not served for longest come first.
    var lanes: [Lane] = []

    /// Where every event has been published that comes before.
    var floor: OutboxPosition {
        lanes.filter { !$0.isClosed }.map(\.position).reduce(main, min)
    }
}

// MARK: Going on

/// What is read of a shard in one go.
struct ShardLimits: Sendable {
    /// Of events that have no lane.
    var page = 250
    /// How many lanes have their turn.
    var lanes = 4
    /// How many tenants may have a lane.
    var lanesAtMost = 32
    /// How many events are looked at for those that have no lane.
    var window = 20_000

    /// How much of a full page one tenant may have before it gets a lane, and the least that a lane is given in its turn.
    var share: Int { max(1, page / 4) }

    /// What each lane may publish beside as many events of the others as the last time.
    func lane(of lanes: Int, beside others: Int) -> Int {
        max(share, (page - min(others, page)) / max(lanes, 1))
    }
}

/// What was found of a shard behind a position.
struct ShardFinding {
    /// Of tenants without a lane.
    var main: [OutboxRow] = []
    var lanes: [TenantID: [OutboxRow]] = [:]
    /// The lanes that were read, and how many events of each at most.
    var read: Set<TenantID> = []
    var laneLimit = 0
    /// The last event that was looked at, where there may be more behind it.
    var windowEnd: OutboxPosition?
}

extension ShardPosition {
    /// What to publish of a finding, in this order, and where that leads to.
    ///
    /// - Parameter horizon: every transaction before it had ended when the finding was made.
    func after(
        _ found: ShardFinding, _ limits: ShardLimits, horizon: OutboxPosition
    ) -> (events: [OutboxRow], position: ShardPosition, isAtEnd: Bool) {
        var next = self
        var events = found.main
        let isFull = found.main.count >= limits.page
        if isFull { events = next.openLanes(found.main, limits) }
        var isShort = false
        if let last = found.main.last?.position, isFull {
            next.main = last
        } else if let end = found.windowEnd {
            next.main = max(main, end)
        } else {
            isShort = true
            if !events.isEmpty || !lanes.isEmpty { next.main = max(main, horizon, found.main.last?.position ?? main) }
        }
        for lane in lanes where found.read.contains(lane.tenant) {
            guard let index = next.lanes.firstIndex(where: { $0.tenant == lane.tenant }) else { continue }
            var served = next.lanes.remove(at: index)
            let rows = found.lanes[lane.tenant] ?? []
            events += rows
            served.position = max(served.position, rows.last?.position ?? served.position)
            if rows.count < found.laneLimit {
                // All that the tenant had is in this page. The cursor does not follow it: the lane was read a moment later,
                // and others may have committed before its last event in between.
                served.position = max(served.position, horizon)
                served.isClosed = true
            }
            next.lanes.append(served)
        }
        next.lanes.removeAll { $0.isClosed && $0.position <= next.main }
        return (events, next, isShort && next.lanes.isEmpty)
    }

    /// Gives the tenants that crowd a full page a lane; answers the page without what is theirs beyond their share.
    private mutating func openLanes(_ page: [OutboxRow], _ limits: ShardLimits) -> [OutboxRow] {
        let counts = Dictionary(grouping: page, by: \.tenantID).mapValues(\.count)
        let known = Set(lanes.map(\.tenant))
        let room = limits.lanesAtMost - lanes.count
        let crowding = counts.filter { $0.value > limits.share }.sorted { $0.value > $1.value }.map(\.key)
        let opening =
            crowding.filter { known.contains($0) } + crowding.filter { !known.contains($0) }.prefix(max(0, room))
        guard !opening.isEmpty else { return page }
        var taken = Dictionary(uniqueKeysWithValues: opening.map { ($0, (count: 0, last: main)) })
        let events = page.filter { row in
            guard let so = taken[row.tenantID] else { return true }
            guard so.count < limits.share else { return false }
            taken[row.tenantID] = (so.count + 1, row.position)
            return true
        }
        lanes.removeAll { taken[$0.tenant] != nil }
        lanes += opening.map { Lane(tenant: $0, position: taken[$0]?.last ?? main) }
        return events
    }
}

// MARK: As the cursor's row keeps it

extension ShardPosition {
    private struct StoredLane: Codable {
        let tenant: String
        let transaction: String
        let position: Int64
        let closed: Bool
    }

    init(transactionID: String, position: Int64, lanes: String) throws {
        main = try OutboxPosition(transactionID, position)
        self.lanes = try JSONDecoder().decode([StoredLane].self, from: Data(lanes.utf8)).compactMap { stored in
            guard let tenant = TenantID(stored.tenant) else { return nil }
            return Lane(
                tenant: tenant, position: try OutboxPosition(stored.transaction, stored.position),
                isClosed: stored.closed)
        }
    }

    /// The lanes as JSON.
    var storedLanes: String {
        get throws {
            let stored = lanes.map {
                StoredLane(
                    tenant: $0.tenant.description, transaction: String($0.position.transactionID),
                    position: $0.position.position, closed: $0.isClosed)
            }
            return String(decoding: try JSONEncoder().encode(stored), as: UTF8.self)
        }
    }
}

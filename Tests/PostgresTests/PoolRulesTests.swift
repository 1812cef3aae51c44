import Foundation
import Synchronization
import Testing

@testable import Postgres

/// The pool's decisions on size, caps, doubt and rationing: connections and waiters are names, time is simulated.
@Suite("The pool's rules")
struct PoolRulesTests {
    private typealias Machine = PoolStateMachine<String, String>
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start.advanced(by: .seconds(seconds)) }

    private func machine(
        wantedElsewhere: Bool? = nil, steps: Steps? = nil,
        _ change: (inout PoolConfiguration) -> Void = { _ in }
    ) -> Machine {
        var configuration = PoolConfiguration(name: "test", maximum: 3)
        configuration.lifetimeJitter = 0
        change(&configuration)
        var isWantedElsewhere: (@Sendable () -> Bool)?
        if let wantedElsewhere { isWantedElsewhere = { wantedElsewhere } }
        return Machine(configuration, isWantedElsewhere: isWantedElsewhere) { steps?.next() ?? 0.5 }
    }

    private func words(_ actions: [Machine.Action]) -> [String] {
        actions.compactMap { action in
            switch action {
            case .lend(let lease, let waiter): "lend \(lease.connection) to \(waiter)"
            case .fail(let waiter, let error): "fail \(waiter) \(error.message)"
            case .open(let id): "open \(id)"
            case .check(let lease): "check \(lease.connection)"
            case .close(_, let connection): "close \(connection)"
            case .wake: nil
            case .drained: "drained"
            }
        }
    }

    /// Opens connections named c1, c2, … and leaves them lent, each to a waiter of its own.
    private func lendOut(_ count: Int, _ pool: inout Machine, at seconds: Double = 0) {
        for id in 1...count {
            _ = pool.enqueue("w\(id)", id: UInt64(id), deadline: at(seconds + 5), at: at(seconds))
            _ = pool.opened(id, "c\(id)", at: at(seconds))
        }
    }

    @Test("overflow is opened under load, and closed when it comes back and nobody waits")
    func overflow() {
        var pool = machine {
            $0.size = 2
            $0.overflow = 2
            $0.maximumOpening = 4
        }
        lendOut(4, &pool)
        #expect(pool.statistics.size == 2 && pool.statistics.open == 4 && pool.statistics.overflow == 2)
        let fifth = words(pool.enqueue("w5", id: 5, deadline: at(5), at: at(0)))
        #expect(fifth == [])
        // Somebody waits, so nothing is closed.
        let kept = words(pool.returned(4, at: at(1)))
        #expect(kept == ["lend c4 to w5"])
        let back = (1...4).map { words(pool.returned($0, at: at(1))) }
        #expect(back == [[], [], ["close c3"], ["close c4"]])
        #expect(pool.statistics.idle == 2 && pool.statistics.closing == 2 && pool.statistics.overflow == 0)
    }

    @Test("a connection that is being closed counts until the server has ended it")
    func closingCounts() {
        var pool = machine {
            $0.maximum = 1
            $0.lifetime = .seconds(1)
        }
        lendOut(1, &pool)
        let closes = words(pool.returned(1, at: at(2)))
        let waits = words(pool.enqueue("ann", id: 2, deadline: at(5), at: at(2)))
        #expect(closes == ["close c1"] && waits == [])
        let opens = words(pool.closed(1, at: at(2.1)))
        #expect(opens == ["open 2"])
    }

    @Test("a borrower at its cap waits though connections are idle, and nobody waits behind it")
    func cap() {
        var pool = machine()
        let tenant = PoolBorrower(key: UUID(), cap: 1)
        lendOut(3, &pool)
        for id in 1...3 { _ = pool.returned(id, at: at(0)) }
        let first = pool.lendAtOnce(tenant, at: at(0))
        #expect(first?.connection == "c3")
        let second = pool.lendAtOnce(tenant, at: at(0))
        let waits = words(pool.enqueue("capped", id: 9, for: tenant, deadline: at(5), at: at(0)))
        #expect(second == nil && waits == [])
        #expect(pool.statistics.idle == 2 && pool.statistics.waiting == 1)
        let other = pool.lendAtOnce(PoolBorrower(key: UUID(), cap: 1), at: at(0))
        #expect(other?.connection == "c2")
        let served = words(pool.returned(3, at: at(0.5)))
        #expect(served == ["lend c3 to capped"])
    }

    @Test("who waits in vain at a cap is told of the cap, and can try again")
    func capTimeout() {
        var pool = machine()
        let tenant = PoolBorrower(key: UUID(), cap: 1)
        lendOut(1, &pool)
        _ = pool.returned(1, at: at(0))
        _ = pool.lendAtOnce(tenant, at: at(0))
        _ = pool.enqueue("capped", id: 9, for: tenant, deadline: at(5), at: at(0))
        var failure: PostgresError?
        for action in pool.tick(at: at(5)) { if case .fail(_, let error) = action { failure = error } }
        #expect(failure?.code == .poolExhausted && failure?.isRetriable == true)
        #expect(failure?.message.contains("raise its cap") == true)
    }

    @Test("when one connection is lost, the idle ones are asked at once and the lent ones when they come back")
    func doubt() {
        var pool = machine()
        lendOut(3, &pool)
        for id in 1...2 { _ = pool.returned(id, at: at(0)) }
        let lent = pool.lendAtOnce(at: at(0))
        #expect(lent?.connection == "c2")
        let asks = words(pool.lost(3, at: at(0.1)))
        #expect(asks == ["close c3", "check c1"])
        let none = pool.lendAtOnce(at: at(0.1))
        #expect(none == nil)
        let asked = words(pool.returned(2, at: at(0.2)))
        #expect(asked == ["check c2"])
        // One that answers is as good as before; one that doesn't is gone, and nothing is opened that nobody wants.
        let alive = words(pool.returned(1, at: at(0.3)))
        let dead = words(pool.lost(2, at: at(0.3)))
        #expect(alive == [] && dead == ["close c2", "check c1"])
        _ = pool.returned(1, at: at(0.3))
        let lends = pool.lendAtOnce(at: at(0.4))
        #expect(lends?.connection == "c1" && pool.statistics.open == 1)
    }

    @Test("a server that restarts brings no more connections at once than may be opened at a time")
    func massReconnect() {
        var pool = machine {
            $0.maximum = 50
            $0.maximumOpening = 4
        }
        lendOut(50, &pool)
        for id in 1...50 { _ = pool.returned(id, at: at(0)) }
        let opens = (1...50).flatMap { words(pool.lost($0, at: at(0.1))) }.count { $0.hasPrefix("open") }
        #expect(opens == 0 && pool.statistics.open == 0)
        let wanted = (1...40).flatMap {
            words(pool.enqueue("x\($0)", id: UInt64(100 + $0), deadline: at(5), at: at(0.2)))
        }
        #expect(wanted.count == 4)
    }

    @Test("lifetimes differ, so that connections opened together don't end together")
    func jitter() {
        var pool = machine(steps: Steps()) {
            $0.maximum = 10
            $0.lifetime = .seconds(100)
            $0.lifetimeJitter = 0.1
            $0.idleTimeout = .seconds(1000)
        }
        lendOut(10, &pool)
        for id in 1...10 { _ = pool.returned(id, at: at(0)) }
        let before = words(pool.tick(at: at(89.9)))
        let half = words(pool.tick(at: at(100)))
        let all = words(pool.tick(at: at(110.1)))
        #expect(before.isEmpty && (4...6).contains(half.count) && half.count + all.count == 10)
    }

    @Test("fifty who come at once are served by the one connection there is, before a new one lands")
    func spike() {
        let simulation = simulateSpike(connectionsThere: 1)
        #expect(simulation.finished.count == 50)
        #expect(simulation.finished.allSatisfy { $0 < 0.150 })
        #expect(simulation.opened <= 6)
        let cold = simulateSpike(connectionsThere: 0)
        #expect(cold.finished.count == 50 && cold.opened <= 6)
        #expect(cold.finished.allSatisfy { $0 < 0.150 + 0.050 })
    }

    /// Fifty queries of 2 ms come at once, and a connection takes 150 ms to open.
    private func simulateSpike(connectionsThere: Int) -> (finished: [Double], opened: Int) {
        var pool = machine { $0.maximum = 10 }
        if connectionsThere > 0 { lendOut(connectionsThere, &pool, at: -0.5) }
        for id in 0..<connectionsThere { _ = pool.returned(id + 1, at: at(-0.5)) }
        enum Event {
            case returned(Int)
            case opened(Int)
        }
        var events: [(time: Double, event: Event)] = []
        var (finished, opened) = ([Double](), connectionsThere)
        func perform(_ actions: [Machine.Action], _ now: Double) {
            for action in actions {
                switch action {
                case .lend(let lease, _): events.append((now + 0.002, .returned(lease.id)))
                case .open(let id):
                    opened += 1
                    events.append((now + 0.150, .opened(id)))
                case .fail, .check, .close, .wake, .drained: break
                }
            }
        }
        for number in 1...50 {
            if let lease = pool.lendAtOnce(at: at(0)) {
                events.append((0.002, .returned(lease.id)))
            } else {
                perform(pool.enqueue("q", id: UInt64(100 + number), deadline: at(5), at: at(0)), 0)
            }
        }
        while let next = events.indices.min(by: { events[$0].time < events[$1].time }) {
            let (time, event) = events.remove(at: next)
            switch event {
            case .returned(let id):
                finished.append(time)
                perform(pool.returned(id, at: at(time)), time)
            case .opened(let id): perform(pool.opened(id, "new", at: at(time)), time)
            }
        }
        return (finished, opened)
    }

    @Test("where leases are long, the pool grows after a pause though nobody else comes")
    func growth() throws {
        var pool = machine {
            $0.maximum = 10
            $0.maximumOpening = 2
        }
        let opens = (1...6).flatMap { words(pool.enqueue("w\($0)", id: UInt64($0), deadline: at(5), at: at(0))) }
        #expect(opens == ["open 1", "open 2"])
        var actions = pool.opened(1, "c1", at: at(0.1))
        actions += pool.opened(2, "c2", at: at(0.1))
        let wakes = actions.compactMap { if case .wake(let instant) = $0 { instant } else { nil } }
        #expect(wakes == [at(0.1).advanced(by: Machine.pauseBeforeGrowing)])
        let wake = try #require(wakes.first)
        let more = words(pool.tick(at: wake))
        #expect(more == ["open 3", "open 4"])
    }

    @Test("a rationed connection is opened only where it is still wanted once there is room")
    func rationed() {
        var pool = machine(wantedElsewhere: false)
        let asks = words(pool.enqueue("ann", id: 1, deadline: at(5), at: at(0)))
        #expect(asks == ["open 1"])
        let gone = pool.cancel(1, at: at(0))
        let declined = pool.mayOpen(1)
        #expect(gone == "ann" && !declined && pool.statistics.opening == 0)
        _ = pool.enqueue("bob", id: 2, deadline: at(5), at: at(0))
        let accepted = pool.mayOpen(2)
        #expect(accepted)
        let lends = words(pool.opened(2, "c2", at: at(0)))
        #expect(lends == ["lend c2 to bob"])
    }

    @Test("what another pool waits for isn't kept idle, and is handed on within the pool only so often")
    func wantedElsewhere() {
        var pool = machine(wantedElsewhere: true)
        for number in 1...40 { _ = pool.enqueue("w\(number)", id: UInt64(number), deadline: at(5), at: at(0)) }
        _ = pool.mayOpen(1)
        var actions = words(pool.opened(1, "c1", at: at(0)))
        var lent = 0
        while actions.first?.hasPrefix("lend c1") == true {
            lent += 1
            actions = words(pool.returned(1, at: at(0)))
        }
        #expect(lent == Machine.turnsWhileWanted && actions.first == "close c1")
        var idle = machine(wantedElsewhere: true)
        _ = idle.enqueue("ann", id: 1, deadline: at(5), at: at(0))
        _ = idle.mayOpen(1)
        _ = idle.opened(1, "c1", at: at(0))
        let closed = words(idle.returned(1, at: at(0)))
        #expect(closed == ["close c1"])
    }
}

/// 0, 0.1, 0.2, … 1, and again.
private final class Steps: Sendable {
    private let count = Atomic<Int>(0)

    func next() -> Double { Double(count.add(1, ordering: .relaxed).oldValue % 11) / 10 }
}

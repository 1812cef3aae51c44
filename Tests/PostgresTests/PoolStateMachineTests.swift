import Testing

@testable import Postgres

/// The pool's decisions alone: connections and waiters are names, and time is what the test says.
@Suite("The pool's state machine")
struct PoolStateMachineTests {
    private typealias Machine = PoolStateMachine<String, String>
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start.advanced(by: .seconds(seconds)) }

    private func machine(_ change: (inout PoolConfiguration) -> Void = { _ in }) -> Machine {
        var configuration = PoolConfiguration(name: "test", maximum: 3)
        configuration.lifetimeJitter = 0
        change(&configuration)
        return Machine(configuration) { 0.5 }
    }

    /// What was decided, in words; when to be woken is left out.
    private func words(_ actions: [Machine.Action]) -> [String] {
        actions.compactMap { action in
            switch action {
            case .lend(let lease, let waiter): "lend \(lease.connection) to \(waiter)"
            case .fail(let waiter, let error): "fail \(waiter) \(error.message.prefix(7))"
            case .open(let id): "open \(id)"
            case .check(let lease): "check \(lease.connection)"
            case .close(_, let connection): "close \(connection)"
            case .wake: nil
            case .drained: "drained"
            }
        }
    }

    private func wakes(_ actions: [Machine.Action]) -> [ContinuousClock.Instant] {
        actions.compactMap { if case .wake(let instant) = $0 { instant } else { nil } }
    }

    private func wait(_ pool: inout Machine, _ name: String, id: UInt64, at seconds: Double = 0) -> [String] {
        words(pool.enqueue(name, id: id, deadline: at(seconds + 5), at: at(seconds)))
    }

    @Test("the first to come opens a connection and gets it")
    func first() {
        var pool = machine()
        let opens = wait(&pool, "ann", id: 1)
        #expect(opens == ["open 1"])
        let lends = words(pool.opened(1, "c1", at: at(0)))
        #expect(lends == ["lend c1 to ann"])
        let parks = words(pool.returned(1, at: at(0)))
        #expect(parks == [])
        let again = pool.lendAtOnce(at: at(0.5))
        #expect(again?.connection == "c1")
    }

    @Test("no more connections are being opened than wait for one, nor than may be at a time")
    func restraint() {
        var pool = machine {
            $0.maximum = 10
            $0.maximumOpening = 2
        }
        let opened = (1...5).map { wait(&pool, "w\($0)", id: UInt64($0)) }
        #expect(opened == [["open 1"], ["open 2"], [], [], []])
        // A connection that comes back serves the next in line, and nothing is opened for those served already.
        let first = words(pool.opened(1, "c1", at: at(0)))
        #expect(first == ["lend c1 to w1"])
        let served = (2...4).map { _ in words(pool.returned(1, at: at(0))) }
        #expect(served == [["lend c1 to w2"], ["lend c1 to w3"], ["lend c1 to w4"]])
        let last = words(pool.returned(1, at: at(0)))
        #expect(last == ["lend c1 to w5"])
        let late = words(pool.opened(2, "c2", at: at(0)))
        #expect(late == [] && pool.statistics.idle == 1)
    }

    @Test("at the maximum one waits, and is served in turn")
    func maximum() {
        var pool = machine { $0.maximum = 1 }
        _ = wait(&pool, "ann", id: 1)
        _ = pool.opened(1, "c1", at: at(0))
        let waits = wait(&pool, "bob", id: 2) + wait(&pool, "cyd", id: 3)
        #expect(waits == [])
        // Who comes later doesn't overtake.
        let barging = pool.lendAtOnce(at: at(0))
        #expect(barging == nil)
        let gone = pool.cancel(2, at: at(0))
        #expect(gone == "bob")
        let next = words(pool.returned(1, at: at(1)))
        #expect(next == ["lend c1 to cyd"])
    }

    @Test("what was idle for long is checked first, and replaced where it doesn't answer")
    func check() {
        var pool = machine()
        _ = wait(&pool, "ann", id: 1)
        _ = pool.opened(1, "c1", at: at(0))
        _ = pool.returned(1, at: at(0))
        let atOnce = pool.lendAtOnce(at: at(2))
        #expect(atOnce == nil)
        let checks = wait(&pool, "bob", id: 2, at: 2)
        #expect(checks == ["check c1"])
        let replaced = words(pool.lost(1, at: at(2)))
        #expect(replaced == ["close c1", "open 2"])
        let lends = words(pool.opened(2, "c2", at: at(2)))
        #expect(lends == ["lend c2 to bob"])
        _ = pool.returned(2, at: at(2))
        _ = wait(&pool, "cyd", id: 3, at: 4)
        let alive = words(pool.returned(2, at: at(4)))
        #expect(alive == ["lend c2 to cyd"])
    }

    @Test("the connection used last is lent first")
    func lastUsed() {
        var pool = machine()
        for number in 1...3 {
            _ = wait(&pool, "w\(number)", id: UInt64(number))
            _ = pool.opened(number, "c\(number)", at: at(0))
        }
        for id in [2, 3, 1] { _ = pool.returned(id, at: at(0)) }
        let order = [pool.lendAtOnce(at: at(0.1)), pool.lendAtOnce(at: at(0.1)), pool.lendAtOnce(at: at(0.1))]
        #expect(order.map { $0?.connection } == ["c1", "c3", "c2"])
    }

    @Test("after a failure one attempt at a time is made, later and later")
    func backoff() {
        var pool = machine {
            $0.minimumBackoff = .seconds(1)
            $0.maximumBackoff = .seconds(3)
        }
        _ = wait(&pool, "ann", id: 1)
        _ = wait(&pool, "bob", id: 2)
        let refused = PostgresError(.connectFailed, "refused")
        let quiet = words(pool.failedToOpen(1, refused, at: at(0))) + words(pool.failedToOpen(2, refused, at: at(0)))
        #expect(quiet == [])
        let early = words(pool.tick(at: at(1.9)))
        #expect(early == [])
        let second = words(pool.tick(at: at(2)))
        #expect(second == ["open 3"])
        _ = pool.failedToOpen(3, refused, at: at(2))
        let third = words(pool.tick(at: at(4.9)))
        #expect(third == [])
        // The two gave up in the meantime, with the reason.
        let expired = words(pool.tick(at: at(5)))
        #expect(expired == ["fail ann refused", "fail bob refused"])
        let statistics = pool.statistics
        #expect(statistics.timeouts == 2 && statistics.failures == 3 && statistics.waiting == 0)
    }

    @Test("a failure that trying again won't mend fails all who wait at once, unless something open can serve them")
    func permanent() {
        let wrong = PostgresError(
            .connectFailed, ServerError(sqlState: "28P01", message: "wrong password"), file: "", line: 0)
        var empty = machine()
        _ = wait(&empty, "ann", id: 1)
        let failed = words(empty.failedToOpen(1, wrong, at: at(0)))
        #expect(failed == ["fail ann wrong p"])
        var serving = machine()
        _ = wait(&serving, "ann", id: 1)
        _ = serving.opened(1, "c1", at: at(0))
        _ = wait(&serving, "bob", id: 2)
        let kept = words(serving.failedToOpen(2, wrong, at: at(0)))
        #expect(kept == [])
        let served = words(serving.returned(1, at: at(0)))
        #expect(served == ["lend c1 to bob"])
    }

    @Test("a connection ends with its lifetime when it comes back, or while it is idle")
    func lifetime() {
        var pool = machine {
            $0.lifetime = .seconds(10)
            $0.idleTimeout = .seconds(100)
        }
        _ = wait(&pool, "ann", id: 1)
        _ = pool.opened(1, "c1", at: at(0))
        let closed = words(pool.returned(1, at: at(10)))
        #expect(closed == ["close c1"])
        _ = wait(&pool, "bob", id: 2, at: 10)
        _ = pool.opened(2, "c2", at: at(10))
        let parked = wakes(pool.returned(2, at: at(11)))
        #expect(parked.contains(at(20)) || parked == [])
        let idle = words(pool.tick(at: at(20)))
        #expect(idle == ["close c2"])
    }

    @Test("idle connections beyond the minimum are closed, and the minimum is kept open")
    func minimum() {
        var pool = machine {
            $0.minimumIdle = 1
            $0.idleTimeout = .seconds(10)
        }
        let opens = words(pool.keepMinimum(at: at(0)))
        #expect(opens == ["open 1"])
        _ = pool.opened(1, "c1", at: at(0))
        let first = pool.lendAtOnce(at: at(0))
        _ = wait(&pool, "ann", id: 1)
        _ = pool.opened(2, "c2", at: at(0))
        _ = pool.returned(1, at: at(0))
        _ = pool.returned(2, at: at(0))
        #expect(first?.connection == "c1")
        let closed = words(pool.tick(at: at(10)))
        #expect(closed == ["close c1"])
        let replaced = words(pool.lost(2, at: at(11)))
        #expect(replaced == ["close c2", "open 3"])
    }

    @Test("closed, it fails who waits, closes what is idle, and is drained when the last connection is back")
    func close() {
        var pool = machine { $0.maximum = 2 }
        for number in 1...2 {
            _ = wait(&pool, "w\(number)", id: UInt64(number))
            _ = pool.opened(number, "c\(number)", at: at(0))
        }
        _ = wait(&pool, "ann", id: 3)
        let failed = words(pool.close(at: at(0)))
        #expect(failed == ["fail ann the poo"])
        let refused = wait(&pool, "bob", id: 4)
        #expect(refused == ["fail bob the poo"])
        let first = words(pool.returned(1, at: at(1)))
        #expect(first == ["close c1"])
        let last = words(pool.lost(2, at: at(1)))
        #expect(last == ["close c2"])
        let drained = words(pool.closed(1, at: at(1)))
        #expect(drained == ["drained"])
    }

    @Test("what comes after a connection was given up changes nothing")
    func late() {
        var pool = machine()
        _ = wait(&pool, "ann", id: 1)
        _ = pool.opened(1, "c1", at: at(0))
        _ = pool.lost(1, at: at(0))
        let returned = words(pool.returned(1, at: at(0)))
        let lost = words(pool.lost(1, at: at(0)))
        #expect(returned == [] && lost == [])
        #expect(pool.statistics.destroyed == 1 && pool.statistics.open == 0)
    }
}

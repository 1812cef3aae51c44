import Synchronization

/// The most connections that many pools may have open all together.
///
/// A pool that needs one where none is left makes another give up the connection that is idle the longest. Where all
/// are in use, it stands in line with the other pools until one is closed, comes back idle, or was handed on often
/// enough within its pool.
package final class ConnectionBudget: Sendable {
    package let limit: Int
    private let state: Mutex<State>
    private let isShortNow = Atomic<Bool>(false)
    private let pools = Atomic<Int>(0)

    private struct State: ~Copyable {
        var budget: BudgetState
        /// The pools that have permits, or wait for some.
        var members: [Int: Member] = [:]

        /// An idle pool costs nothing here.
        mutating func dropIfUnused(_ number: Int) {
            if let member = members[number], member.permits == 0, member.wants == 0 { members[number] = nil }
        }
    }

    private struct Member {
        weak var pool: (any BudgetMember)?
        var permits = 0
        var wants = 0
    }

    package init(limit: Int) {
        self.limit = max(1, limit)
        state = Mutex(State(budget: BudgetState(limit: self.limit)))
    }

    /// Connections that are open, or being opened or closed.
    package var used: Int { state.withLock { $0.budget.used } }
    /// How many connections pools wait for.
    package var waiting: Int { state.withLock { $0.budget.waiting } }
    /// How many pools it knows at the moment.
    var members: Int { state.withLock { $0.members.count } }

    /// Whether some pool waits for a connection that nobody is about to give up.
    ///
    /// May be asked with a pool's lock held: it takes none.
    var isShort: Bool { isShortNow.load(ordering: .sequentiallyConsistent) }

    func enrol() -> Int { pools.add(1, ordering: .relaxed).newValue }

    /// Calls the pool's `permitted`, sooner or later, unless the pool is gone by then.
    func request(_ pool: some BudgetMember, number: Int, entry: Int) {
        change { state in
            state.members[number, default: Member(pool: pool)].wants += 1
            state.budget.want(number, entry: entry)
        }
        grant()
        reclaim()
    }

    fileprivate func leave() {
        change { $0.budget.leave() }
    }

    fileprivate func release(_ number: Int, isLeaving: Bool) {
        change { state in
            state.budget.release(isLeaving: isLeaving)
            state.members[number]?.permits -= 1
            state.dropIfUnused(number)
        }
        grant()
    }

    /// One after another rather than from within each other: a long line may have nobody left who wants a permit.
    private func grant() {
        while let (pool, permit, entry) = next() {
            if pool?.permitted(entry, permit) != true { permit.discard() }
        }
    }

    private func next() -> (pool: (any BudgetMember)?, permit: ConnectionPermit, entry: Int)? {
        change { state in
            guard let (number, entry) = state.budget.next() else { return nil }
            state.members[number]?.wants -= 1
            state.members[number]?.permits += 1
            return (state.members[number]?.pool, ConnectionPermit(self, number), entry)
        }
    }

    fileprivate func discard(_ number: Int) {
        change { state in
            state.budget.release(isLeaving: false)
            state.members[number]?.permits -= 1
            state.dropIfUnused(number)
        }
    }

    /// Makes pools give up what is idle the longest, as long as somebody waits for it.
    ///
    /// A connection that comes back while this looks elsewhere isn't missed: its pool asks `isShort` under its lock.
    private func reclaim() {
        while isShort {
            let holders = state.withLock { state in
                state.members.values.compactMap { $0.permits > 0 ? $0.pool : nil }
            }
            let idle = holders.compactMap { pool in pool.idleSince.map { (pool: pool, since: $0) } }
            guard let longest = idle.min(by: { $0.since < $1.since }) else { return }
            longest.pool.giveUpIdle()
        }
    }

    private func change<Value>(_ body: (inout State) -> sending Value) -> sending Value {
        state.withLock { state in
            defer { isShortNow.store(state.budget.isShort, ordering: .sequentiallyConsistent) }
            return body(&state)
        }
    }
}

/// A pool, as the budget sees it; all of this is called without any lock held.
protocol BudgetMember: AnyObject, Sendable {
    /// Since when the connection has been idle that is idle the longest.
    var idleSince: ContinuousClock.Instant? { get }
    func giveUpIdle()
    /// Takes the permit for what was requested, or says that it isn't wanted any more.
    func permitted(_ entry: Int, _ permit: ConnectionPermit) -> Bool
}

/// The right to have one connection open.
final class ConnectionPermit: Sendable {
    private enum State { case held, leaving, given }

    private let budget: ConnectionBudget
    private let number: Int
    private let state = Mutex(State.held)

    fileprivate init(_ budget: ConnectionBudget, _ number: Int) {
        self.budget = budget
        self.number = number
    }

    deinit { release() }

    /// It will be given back soon.
    func leave() {
        let isFirst = state.withLock { state in
            guard state == .held else { return false }
            state = .leaving
            return true
        }
        if isFirst { budget.leave() }
    }

    func release() {
        let before = end()
        if before != .given { budget.release(number, isLeaving: before == .leaving) }
    }

    /// Gives it back without looking for who comes next.
    fileprivate func discard() {
        if end() != .given { budget.discard(number) }
    }

    private func end() -> State {
        state.withLock { state in
            defer { state = .given }
            return state
        }
    }
}

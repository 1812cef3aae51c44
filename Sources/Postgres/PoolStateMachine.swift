/// Decides who gets which connection, and when connections are opened, checked and closed; it does none of that itself.
struct PoolStateMachine<Connection: Sendable, Waiter: Sendable>: ~Copyable {
    typealias Instant = ContinuousClock.Instant

    struct Lease: Sendable {
        let id: Int
        let connection: Connection
    }

    enum Action {
        case lend(Lease, to: Waiter)
        case fail(Waiter, PostgresError)
        /// Ask `mayOpen` before where connections are rationed.
        case open(Int)
        case check(Lease)
        /// Say `closed` once the server has ended it too.
        case close(Int, Connection)
        /// Call `tick` then.
        case wake(at: Instant)
        /// The pool is closed, and its last connection gone.
        case drained
    }

    enum State {
        /// → opening; gone where nobody wants it any more
        case rationed
        /// → idle, leased; gone when it fails
        case opening
        /// → leased, checking, closing; gone when it is lost
        case idle(Connection, since: Instant)
        /// → idle, leased, closing; gone when it doesn't answer
        case checking(Connection)
        /// → idle, checking, leased again, closing; gone when it is lost
        case leased(Connection)
        /// → gone
        case closing
    }

    struct Entry {
        var state: State
        var expires: Instant
        /// Another connection was lost since it was last heard of.
        var isDoubted = false
        var borrower = 0
        /// How often it was handed on while another pool waited for one.
        var turns = 0
    }

    /// How often a connection is handed on within a pool while another pool waits for one.
    static var turnsWhileWanted: Int { 16 }
    /// How long those who still wait when a connection comes free are left to the connections there are.
    static var pauseBeforeGrowing: Duration { .milliseconds(50) }

    let configuration: PoolConfiguration
    /// A number from 0 to 1.
    let random: @Sendable () -> Double
    /// Whether another pool of the same budget waits for a connection; nil where connections aren't rationed.
    let isWantedElsewhere: (@Sendable () -> Bool)?
    var entries: [Int: Entry] = [:]
    /// Those that are idle, the one used last at the end: it is lent first, so that the others can age.
    var idle: [Int] = []
    var lines: BorrowerLines<Waiter>
    var nextID = 1
    /// How many entries are `rationed` or `opening`.
    var opening = 0
    var rationed = 0
    var checking = 0
    var closing = 0
    var failuresInRow = 0
    var opensAgainAt: Instant?
    var lastFailure: PostgresError?
    var wakesAt: Instant?
    var keepsMinimum = false
    var isClosed = false
    var counts = PoolStatistics()

    init(
        _ configuration: PoolConfiguration, isWantedElsewhere: (@Sendable () -> Bool)? = nil,
        random: @escaping @Sendable () -> Double
    ) {
        self.configuration = configuration
        self.isWantedElsewhere = isWantedElsewhere
        self.random = random
        lines = BorrowerLines(memory: max(1, configuration.rememberedBorrowers))
    }

    /// Connections that are open, whatever they do.
    var open: Int { entries.count - opening - closing }

    var statistics: PoolStatistics {
        var all = counts
        all.size = configuration.size
        all.open = open
        all.overflow = max(0, open - configuration.size)
        all.opening = opening
        all.closing = closing
        all.idle = idle.count
        all.leased = open - checking - idle.count
        all.waiting = lines.count
        all.borrowers = lines.statistics
        return all
    }

    var placesKeptForTheGone: Int { lines.stale }

    // MARK: Borrowing

    /// The quick way: a connection that is at hand while nobody waits who could have it.
    mutating func lendAtOnce(_ borrower: PoolBorrower = .system, at now: Instant) -> Lease? {
        guard !isClosed, let id = idle.last, let entry = entries[id],
            case .idle(let connection, let since) = entry.state,
            isFresh(entry, since, at: now), let holder = lines.holdAtOnce(borrower)
        else { return nil }
        idle.removeLast()
        return lease(id, connection, holder)
    }

    mutating func enqueue(
        _ waiter: Waiter, id: UInt64, for borrower: PoolBorrower = .system, deadline: Instant, at now: Instant
    ) -> [Action] {
        if isClosed { return [.fail(waiter, Self.closedError)] }
        lines.append(waiter, id: id, for: borrower, deadline: deadline, since: now)
        var actions: [Action] = []
        wake(at: deadline, &actions)
        supply(at: now, &actions)
        return actions
    }

    mutating func cancel(_ id: UInt64, at now: Instant) -> Waiter? { lines.remove(id, at: now) }

    // MARK: What became of a connection

    /// Whether the connection is still to be opened, now that the budget has room for it.
    mutating func mayOpen(_ id: Int) -> Bool {
        guard case .rationed = entries[id]?.state else { return false }
        rationed -= 1
        guard lines.demand > checking + opening - 1 - rationed else {
            entries[id] = nil
            opening -= 1
            return false
        }
        entries[id]?.state = .opening
        return true
    }

    mutating func opened(_ id: Int, _ connection: Connection, at now: Instant) -> [Action] {
        guard var entry = entries[id], case .opening = entry.state else { return [.close(id, connection)] }
        opening -= 1
        counts.created += 1
        failuresInRow = 0
        opensAgainAt = nil
        lastFailure = nil
        let jitter = 1 + configuration.lifetimeJitter * (2 * random() - 1)
        entry.expires = now.advanced(by: configuration.lifetime * jitter)
        entries[id] = entry
        return makeAvailable(id, entry, connection, isNew: true, at: now)
    }

    mutating func failedToOpen(_ id: Int, _ error: PostgresError, at now: Instant) -> [Action] {
        guard case .opening = entries[id]?.state else { return [] }
        entries[id] = nil
        opening -= 1
        counts.failures += 1
        failuresInRow += 1
        lastFailure = error
        let backoff = min(
            configuration.maximumBackoff, configuration.minimumBackoff * (1 << min(failuresInRow - 1, 16)))
        opensAgainAt = now.advanced(by: backoff * (0.75 + 0.5 * random()))
        var actions: [Action] = []
        // Trying again won't make a wrong password right; but what is open can still serve those who wait.
        if !error.isRetriable, open == 0 {
            actions = lines.removeAll(at: now).map { .fail($0, error) }
        }
        supply(at: now, &actions)
        drainIfClosed(&actions)
        return actions
    }

    /// The borrower, or the health check, is done with it, and it is fit for the next.
    mutating func returned(_ id: Int, at now: Instant) -> [Action] {
        guard var entry = entries[id] else { return [] }
        switch entry.state {
        case .leased(let connection):
            let demand = lines.demand
            lines.gaveBack(entry.borrower)
            return makeAvailable(id, entry, connection, hasUncapped: lines.demand > demand, at: now)
        case .checking(let connection):
            checking -= 1
            entry.isDoubted = false
            entries[id] = entry
            return makeAvailable(id, entry, connection, at: now)
        case .rationed, .opening, .idle, .closing: return []
        }
    }

    /// Its borrower has left something on it: it is sound, and fit for nobody.
    mutating func spoilt(_ id: Int, by leftovers: Set<Leftover>, at now: Instant) -> [Action] {
        guard let entry = entries[id], case .leased(let connection) = entry.state else { return [] }
        lines.gaveBack(entry.borrower)
        for leftover in leftovers { counts.unclean[leftover, default: 0] += 1 }
        var actions: [Action] = []
        close(id, connection, &actions)
        supply(at: now, &actions)
        return actions
    }

    /// It broke or doesn't answer; the others have to show that they are still there.
    mutating func lost(_ id: Int, at now: Instant) -> [Action] {
        guard let entry = entries[id] else { return [] }
        var actions: [Action] = []
        switch entry.state {
        case .rationed, .opening, .closing: return []
        case .idle(let connection, _):
            idle.removeAll { $0 == id }
            actions.append(.close(id, connection))
        case .checking(let connection):
            checking -= 1
            actions.append(.close(id, connection))
        case .leased(let connection):
            lines.gaveBack(entry.borrower)
            actions.append(.close(id, connection))
        }
        entries[id] = nil
        counts.destroyed += 1
        doubtOthers(&actions)
        supply(at: now, &actions)
        drainIfClosed(&actions)
        return actions
    }

    /// The server has ended it too, or had time enough.
    mutating func closed(_ id: Int, at now: Instant) -> [Action] {
        guard case .closing = entries[id]?.state else { return [] }
        entries[id] = nil
        closing -= 1
        var actions: [Action] = []
        supply(at: now, &actions)
        drainIfClosed(&actions)
        return actions
    }

    // MARK: A budget shared with other pools

    /// Since when the connection has been idle that is idle the longest.
    var idleSince: Instant? {
        guard let id = idle.first, case .idle(_, let since) = entries[id]?.state else { return nil }
        return since
    }

    /// Gives the connection up that is idle the longest.
    mutating func giveUpIdle() -> [Action] {
        guard let id = idle.first, case .idle(let connection, _) = entries[id]?.state else { return [] }
        idle.removeFirst()
        var actions: [Action] = []
        close(id, connection, &actions)
        return actions
    }
}

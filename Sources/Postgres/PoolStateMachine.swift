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
        case open(Int)
        case check(Lease)
        case close(Connection)
        /// Call `tick` then.
        case wake(at: Instant)
        /// The pool is closed, and its last connection gone.
        case drained
    }

    private enum State {
        /// → idle, leased; gone when it fails
        case opening
        /// → leased, checking; gone when it is lost, too old or not needed
        case idle(Connection, since: Instant)
        /// → idle, leased; gone when it doesn't answer
        case checking(Connection)
        /// → idle, leased again; gone when it is lost, too old, or the pool is closed
        case leased(Connection)
    }

    private struct Entry {
        var state: State
        var expires: Instant
    }

    private let configuration: PoolConfiguration
    /// A number from 0 to 1.
    private let random: @Sendable () -> Double
    private var entries: [Int: Entry] = [:]
    /// Those that are idle, the one used last at the end: it is lent first, so that the others can age.
    private var idle: [Int] = []
    private var waiters = WaitingLine<Waiter>()
    private var nextID = 1
    private var opening = 0
    private var checking = 0
    private var failuresInRow = 0
    private var opensAgainAt: Instant?
    private var lastFailure: PostgresError?
    private var wakesAt: Instant?
    private var keepsMinimum = false
    private var isClosed = false
    private var counts = PoolStatistics()

    init(_ configuration: PoolConfiguration, random: @escaping @Sendable () -> Double) {
        self.configuration = configuration
        self.random = random
    }

    var statistics: PoolStatistics {
        var all = counts
        all.open = entries.count - opening
        all.opening = opening
        all.idle = idle.count
        all.leased = entries.count - opening - checking - idle.count
        all.waiting = waiters.count
        return all
    }

    var placesKeptForTheGone: Int { waiters.stale }

    // MARK: Borrowing

    /// The quick way: a connection that is at hand while nobody waits.
    mutating func lendAtOnce(at now: Instant) -> Lease? {
        guard waiters.isEmpty, !isClosed, let id = idle.last, let entry = entries[id],
            case .idle(let connection, let since) = entry.state, entry.expires > now,
            since.advanced(by: configuration.healthCheckAfterIdle) > now
        else { return nil }
        idle.removeLast()
        return lease(id, connection)
    }

    mutating func enqueue(_ waiter: Waiter, id: UInt64, deadline: Instant, at now: Instant) -> [Action] {
        if isClosed { return [.fail(waiter, Self.closedError)] }
        waiters.append(waiter, id: id, deadline: deadline)
        var actions: [Action] = []
        wake(at: deadline, &actions)
        supply(at: now, &actions)
        return actions
    }

    mutating func cancel(_ id: UInt64) -> Waiter? { waiters.remove(id) }

    // MARK: What became of a connection

    mutating func opened(_ id: Int, _ connection: Connection, at now: Instant) -> [Action] {
        guard entries[id] != nil else { return [.close(connection)] }
        opening -= 1
        counts.created += 1
        failuresInRow = 0
        opensAgainAt = nil
        lastFailure = nil
        let jitter = 1 + configuration.lifetimeJitter * (2 * random() - 1)
        entries[id]?.expires = now.advanced(by: configuration.lifetime * jitter)
        return makeAvailable(id, connection, isNew: true, at: now)
    }

    mutating func failedToOpen(_ id: Int, _ error: PostgresError, at now: Instant) -> [Action] {
        guard entries.removeValue(forKey: id) != nil else { return [] }
        opening -= 1
        counts.failures += 1
        failuresInRow += 1
        lastFailure = error
        let backoff = min(
            configuration.maximumBackoff, configuration.minimumBackoff * (1 << min(failuresInRow - 1, 16)))
        opensAgainAt = now.advanced(by: backoff * (0.75 + 0.5 * random()))
        var actions: [Action] = []
        // Trying again won't make a wrong password right; but what is open can still serve those who wait.
        if !error.isRetriable, entries.count == opening {
            actions = waiters.removeAll().map { .fail($0, error) }
        }
        supply(at: now, &actions)
        drainIfClosed(&actions)
        return actions
    }

    /// The borrower, or the health check, is done with it, and it is fit for the next.
    mutating func returned(_ id: Int, at now: Instant) -> [Action] {
        switch entries[id]?.state {
        case .leased(let connection): return makeAvailable(id, connection, at: now)
        case .checking(let connection):
            checking -= 1
            return makeAvailable(id, connection, at: now)
        case .opening, .idle, nil: return []
        }
    }

    /// It broke, was closed, or isn't fit for anybody.
    mutating func lost(_ id: Int, at now: Instant) -> [Action] {
        guard let entry = entries[id] else { return [] }
        var actions: [Action] = []
        switch entry.state {
        case .opening: return []
        case .idle(let connection, _):
            idle.removeAll { $0 == id }
            actions.append(.close(connection))
        case .checking(let connection):
            checking -= 1
            actions.append(.close(connection))
        case .leased(let connection): actions.append(.close(connection))
        }
        remove(id)
        supply(at: now, &actions)
        drainIfClosed(&actions)
        return actions
    }

    // MARK: Time

    /// Opens what the pool is to keep at least, from now on.
    mutating func keepMinimum(at now: Instant) -> [Action] {
        keepsMinimum = true
        var actions: [Action] = []
        supply(at: now, &actions)
        return actions
    }

    mutating func tick(at now: Instant) -> [Action] {
        if let wakesAt, wakesAt <= now { self.wakesAt = nil }
        var actions: [Action] = []
        for waiter in waiters.removeExpired(at: now) {
            counts.timeouts += 1
            actions.append(.fail(waiter, exhaustedError))
        }
        retire(at: now, &actions)
        supply(at: now, &actions)
        if let deadline = waiters.earliestDeadline { wake(at: deadline, &actions) }
        return actions
    }

    mutating func close() -> [Action] {
        guard !isClosed else { return [] }
        isClosed = true
        var actions: [Action] = waiters.removeAll().map { .fail($0, Self.closedError) }
        for id in idle {
            if case .idle(let connection, _) = entries[id]?.state { actions.append(.close(connection)) }
            remove(id)
        }
        idle = []
        drainIfClosed(&actions)
        return actions
    }

    // MARK: The rules

    private mutating func makeAvailable(
        _ id: Int, _ connection: Connection, isNew: Bool = false, at now: Instant
    ) -> [Action] {
        guard let entry = entries[id] else { return [.close(connection)] }
        var actions: [Action] = []
        // A new connection serves once, however short its life.
        if isClosed || (entry.expires <= now && !isNew) {
            remove(id)
            actions.append(.close(connection))
            supply(at: now, &actions)
            drainIfClosed(&actions)
        } else if let waiter = waiters.popFirst() {
            actions.append(.lend(lease(id, connection), to: waiter))
        } else {
            entries[id]?.state = .idle(connection, since: now)
            idle.append(id)
            wake(at: min(now.advanced(by: configuration.idleTimeout), entry.expires), &actions)
        }
        return actions
    }

    /// Sees to it that for everyone who waits a connection is on its way, as far as the maximum allows.
    private mutating func supply(at now: Instant, _ actions: inout [Action]) {
        guard !isClosed else { return }
        while checking < waiters.count, let id = idle.popLast() {
            guard let entry = entries[id], case .idle(let connection, let since) = entry.state else { continue }
            if entry.expires <= now {
                remove(id)
                actions.append(.close(connection))
            } else if since.advanced(by: configuration.healthCheckAfterIdle) > now, let waiter = waiters.popFirst() {
                actions.append(.lend(lease(id, connection), to: waiter))
            } else {
                entries[id]?.state = .checking(connection)
                checking += 1
                actions.append(.check(Lease(id: id, connection: connection)))
            }
        }
        let kept = keepsMinimum ? configuration.minimumIdle - idle.count : 0
        let wanted = max(waiters.count - checking, kept)
        // While the server refuses, one attempt at a time is enough to learn that it no longer does.
        let limit = failuresInRow == 0 ? configuration.maximumOpening : 1
        while opening < min(wanted, limit), entries.count < configuration.maximum {
            if let opensAgainAt, opensAgainAt > now { return wake(at: opensAgainAt, &actions) }
            actions.append(.open(nextID))
            entries[nextID] = Entry(state: .opening, expires: now)
            opening += 1
            nextID += 1
        }
    }

    /// Closes what was idle for too long or is too old, and asks to be woken for the next.
    private mutating func retire(at now: Instant, _ actions: inout [Action]) {
        var kept: [Int] = []
        var surplus = idle.count - (keepsMinimum ? configuration.minimumIdle : 0)
        for id in idle {
            guard let entry = entries[id], case .idle(let connection, let since) = entry.state else { continue }
            let idleUntil = since.advanced(by: configuration.idleTimeout)
            if entry.expires <= now || (idleUntil <= now && surplus > 0) {
                surplus -= 1
                remove(id)
                actions.append(.close(connection))
            } else {
                kept.append(id)
                wake(at: idleUntil <= now ? entry.expires : min(idleUntil, entry.expires), &actions)
            }
        }
        idle = kept
    }

    private mutating func lease(_ id: Int, _ connection: Connection) -> Lease {
        entries[id]?.state = .leased(connection)
        counts.acquisitions += 1
        return Lease(id: id, connection: connection)
    }

    private mutating func remove(_ id: Int) {
        entries[id] = nil
        counts.destroyed += 1
    }

    private mutating func wake(at instant: Instant, _ actions: inout [Action]) {
        guard wakesAt.map({ instant < $0 }) ?? true else { return }
        wakesAt = instant
        actions.append(.wake(at: instant))
    }

    private func drainIfClosed(_ actions: inout [Action]) {
        if isClosed && entries.isEmpty { actions.append(.drained) }
    }

    private static var closedError: PostgresError {
        PostgresError(.poolClosed, "the pool is closed")
    }

    private var exhaustedError: PostgresError {
        if let lastFailure { return lastFailure }
        let all = statistics
        return PostgresError(
            .poolExhausted,
            """
            no connection of pool \(configuration.name) became free in time: \(all.leased) of \
            \(configuration.maximum) are in use, \(all.opening) are being opened, and \(all.waiting) others wait; \
            shorten the transactions, or raise the maximum
            """)
    }
}

extension PoolStateMachine {
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
        while let expired = lines.popExpired(at: now) {
            counts.timeouts += 1
            actions.append(.fail(expired.waiter, exhaustedError(cap: expired.cap)))
        }
        retire(at: now, &actions)
        supply(at: now, &actions)
        if let deadline = lines.earliestDeadline() { wake(at: deadline, &actions) }
        return actions
    }

    mutating func close(at now: Instant) -> [Action] {
        guard !isClosed else { return [] }
        isClosed = true
        var actions: [Action] = lines.removeAll(at: now).map { .fail($0, Self.closedError) }
        while let id = idle.popLast() {
            if case .idle(let connection, _) = entries[id]?.state { close(id, connection, &actions) }
        }
        for (id, entry) in entries {
            if case .rationed = entry.state { entries[id] = nil }
        }
        opening -= rationed
        rationed = 0
        drainIfClosed(&actions)
        return actions
    }

    // MARK: Connections that come free

    mutating func makeAvailable(
        _ id: Int, _ entry: Entry, _ connection: Connection, isNew: Bool = false, hasUncapped: Bool = false,
        at now: Instant
    ) -> [Action] {
        var actions: [Action] = []
        let closingBefore = closing
        let isWanted = isWantedElsewhere?() == true
        // A new connection serves once, however short its life.
        if isClosed || (entry.expires <= now && !isNew) {
            close(id, connection, &actions)
        } else if entry.isDoubted {
            check(id, connection, &actions)
        } else if lines.demand > 0, !isWanted || entry.turns < Self.turnsWhileWanted,
            let next = lines.popNext(at: now)
        {
            entries[id]?.turns = isWanted ? entry.turns + 1 : 0
            actions.append(.lend(lease(id, connection, next.borrower), to: next.waiter))
            // A burst is over by then; where leases are long, more connections are worth their while.
            if lines.demand > checking + opening, entries.count < configuration.maximum {
                wake(at: now.advanced(by: Self.pauseBeforeGrowing), &actions)
            }
        } else if isWanted || idle.count + checking >= configuration.size {
            close(id, connection, &actions)
        } else {
            if let index = entries.index(forKey: id) {
                entries.values[index].state = .idle(connection, since: now)
                entries.values[index].turns = 0
            }
            idle.append(id)
            lines.forgetUse()
            wake(at: min(now.advanced(by: configuration.idleTimeout), entry.expires), &actions)
        }
        // Otherwise those who wait are as many as before, or fewer: a burst isn't worth more connections as it goes on.
        if hasUncapped || closing > closingBefore { supply(at: now, &actions) }
        return actions
    }

    /// Sees to it that for everyone who waits and may have one a connection is on its way, as far as the maximum allows.
    mutating func supply(at now: Instant, _ actions: inout [Action]) {
        guard !isClosed else { return }
        while checking < lines.demand, let id = idle.popLast() {
            guard let entry = entries[id], case .idle(let connection, let since) = entry.state else { continue }
            if entry.expires <= now {
                close(id, connection, &actions)
            } else if isFresh(entry, since, at: now), let next = lines.popNext(at: now) {
                actions.append(.lend(lease(id, connection, next.borrower), to: next.waiter))
            } else {
                check(id, connection, &actions)
            }
        }
        // A rationed connection that nobody has asked for would be taken from somebody who has.
        let kept = keepsMinimum && isWantedElsewhere == nil ? configuration.minimumIdle - idle.count : 0
        let wanted = max(lines.demand - checking, kept)
        // While the server refuses, one attempt at a time is enough to learn that it no longer does.
        let limit = failuresInRow == 0 ? configuration.maximumOpening : 1
        while opening < min(wanted, limit), entries.count < configuration.maximum {
            if let opensAgainAt, opensAgainAt > now { return wake(at: opensAgainAt, &actions) }
            actions.append(.open(nextID))
            entries[nextID] = Entry(state: isWantedElsewhere == nil ? .opening : .rationed, expires: now)
            opening += 1
            if isWantedElsewhere != nil { rationed += 1 }
            nextID += 1
        }
    }

    /// Closes what was idle for too long or is too old, and asks to be woken for the next.
    private mutating func retire(at now: Instant, _ actions: inout [Action]) {
        var kept: [Int] = []
        var surplus = idle.count - (keepsMinimum && isWantedElsewhere == nil ? configuration.minimumIdle : 0)
        for id in idle {
            guard let entry = entries[id], case .idle(let connection, let since) = entry.state else { continue }
            let idleUntil = since.advanced(by: configuration.idleTimeout)
            if entry.expires <= now || (idleUntil <= now && surplus > 0) {
                surplus -= 1
                close(id, connection, &actions)
            } else {
                kept.append(id)
                wake(at: idleUntil <= now ? entry.expires : min(idleUntil, entry.expires), &actions)
            }
        }
        idle = kept
    }

    /// One connection that is lost may mean that the server is: the idle ones are asked at once, the others when they
    /// come back.
    mutating func doubtOthers(_ actions: inout [Action]) {
        for id in entries.keys { entries[id]?.isDoubted = true }
        for id in idle {
            if case .idle(let connection, _) = entries[id]?.state { check(id, connection, &actions) }
        }
        idle = []
    }

    private mutating func check(_ id: Int, _ connection: Connection, _ actions: inout [Action]) {
        entries[id]?.state = .checking(connection)
        checking += 1
        actions.append(.check(Lease(id: id, connection: connection)))
    }

    mutating func close(_ id: Int, _ connection: Connection, _ actions: inout [Action]) {
        entries[id]?.state = .closing
        closing += 1
        counts.destroyed += 1
        actions.append(.close(id, connection))
    }

    func isFresh(_ entry: Entry, _ since: Instant, at now: Instant) -> Bool {
        entry.expires > now && since.advanced(by: configuration.healthCheckAfterIdle) > now
    }

    mutating func lease(_ id: Int, _ connection: Connection, _ borrower: Int) -> Lease {
        if let index = entries.index(forKey: id) {
            entries.values[index].state = .leased(connection)
            entries.values[index].borrower = borrower
        }
        counts.acquisitions += 1
        return Lease(id: id, connection: connection)
    }

    mutating func wake(at instant: Instant, _ actions: inout [Action]) {
        guard wakesAt.map({ instant < $0 }) ?? true else { return }
        wakesAt = instant
        actions.append(.wake(at: instant))
    }

    func drainIfClosed(_ actions: inout [Action]) {
        if isClosed && entries.isEmpty { actions.append(.drained) }
    }

    static var closedError: PostgresError {
        PostgresError(.poolClosed, "the pool is closed")
    }

    private func exhaustedError(cap: Int?) -> PostgresError {
        if let cap {
            return PostgresError(
                .poolExhausted,
                """
                no connection of pool \(configuration.name) became free in time: the borrower has the \(cap) that it \
                may have at once; shorten its transactions, or raise its cap
                """)
        }
        if let lastFailure { return lastFailure }
        let rationing = rationed > 0 ? " (\(rationed) of them wait for the budget shared with other pools)" : ""
        return PostgresError(
            .poolExhausted,
            """
            no connection of pool \(configuration.name) became free in time: \(open - checking - idle.count) of \
            \(configuration.maximum) are in use, \(opening) are being opened\(rationing), and \(lines.count) others \
            wait; shorten the transactions, or raise the maximum
            """)
    }
}

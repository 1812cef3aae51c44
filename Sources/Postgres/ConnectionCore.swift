import Reactor

/// Everything about one connection that its lock guards; methods return what to do once the lock is released.
struct ConnectionCore: ~Copyable {
    enum Waiter: Sendable {
        case task(UnsafeContinuation<[Rows], any Error>)
        case check(@Sendable (_ isAlive: Bool) -> Void)
        /// The connection itself, which asks what its borrower has left.
        case proof

        func resume(with result: Result<[Rows], any Error>) {
            switch self {
            case .task(let continuation): continuation.resume(with: result)
            case .check(let completion): completion((try? result.get()) != nil)
            case .proof: break
            }
        }
    }

    typealias Listener = AsyncThrowingStream<String, any Error>.Continuation

    enum Action {
        case resume(Waiter, Result<[Rows], any Error>)
        case wakeAt(ContinuousClock.Instant)
        case cancelOnServer(ServerCancellation)
        case settled(@Sendable (Settlement.Outcome) -> Void, Settlement.Outcome)
        case release(ConnectionPermit)
        case closed(@Sendable () -> Void)
        case deliver(Listener, String)
        case end(Listener, PostgresError?)
    }

    /// Nothing once the connection is closed.
    private var wire: Wire?
    private var line: FlightLine<Waiter>
    /// What waits until a cancelled flight is out of the way, or a script is done.
    private var held: [Flight<Waiter>] = []
    private var transaction = Wire.Transaction.none
    private var isCancelling = false
    private var wakesAt: ContinuousClock.Instant?
    private var settlement: Settlement?
    private var listeners: [String: Listener] = [:]
    private var loss: ServerError?
    private(set) var roundTrips = 0
    var registration: Reactor.Registration?
    var onClose: (@Sendable () -> Void)?
    /// The right to be open, where that is rationed.
    var permit: ConnectionPermit?

    init(wire: Wire, cacheCapacity: Int) {
        self.wire = wire
        line = FlightLine(cacheCapacity: cacheCapacity)
    }

    var isOpen: Bool { wire != nil }
    var isInTransaction: Bool { isOpen && (transaction == .open || transaction == .failed) }
    var hasFailedTransaction: Bool { isOpen && transaction == .failed }
    /// Whether the next borrower may have it as it is.
    var isClean: Bool { isOpen && isQuiet && transaction == .none && listeners.isEmpty }
    /// Whether the next borrower of a pool may have it without its being settled first.
    func isFit(_ proof: LeaseProof) -> Bool { isClean && !line.marks.isSuspect && proof == .onSuspicion }
    private var isQuiet: Bool { line.isEmpty && held.isEmpty && !isCancelling }
    var preparedStatements: Int { line.cache.count }

    func parameter(_ name: String) -> String? { wire?.parameter(name) }
    var serverProcess: Int32? { wire?.serverProcess }
    var socket: Int32? { wire?.socket }

    // MARK: Sending

    mutating func submit(_ flight: Flight<Waiter>, _ actions: inout [Action]) {
        guard isOpen, settlement == nil else {
            let error = lossError(isOpen ? "the connection was given back" : nil, file: flight.file, line: flight.line)
            if let waiter = flight.takeWaiter() { actions.append(.resume(waiter, .failure(error))) }
            return
        }
        if let deadline = flight.deadline { wake(at: deadline, &actions) }
        if mustHold(flight) {
            held.append(flight)
        } else {
            send(flight, &actions)
        }
    }

    private func mustHold(_ flight: Flight<Waiter>) -> Bool {
        if isCancelling || !held.isEmpty { return true }
        if line.isEmpty { return false }
        if case .script = flight.content { return true }
        return line.hasAbandoned || line.hasScript
    }

    private mutating func send(_ flight: Flight<Waiter>, _ actions: inout [Action]) {
        let isOutside = line.isEmpty && transaction == .none
        if isOutside {
            for statement in line.takeForgotten() { write(ours([Statement(statement, prepare: false)]), true) }
        }
        line.begin(flight, outsideTransaction: isOutside)
        write(flight)
        flush(&actions)
    }

    private mutating func write(_ flight: Flight<Waiter>, _ begins: Bool = false) {
        guard let wire, loss == nil else { return }
        if begins { line.begin(flight, outsideTransaction: transaction == .none) }
        var isSent = true
        switch flight.content {
        case .script(let text):
            isSent = wire.beginScript(text)
            line.addScript(text)
        case .statements(let statements):
            for (index, statement) in statements.enumerated() where isSent {
                switch line.add(statement, index: index) {
                case .prepare(let entry): isSent = wire.prepare(entry) && wire.execute(entry, statement.sql.bindings)
                case .prepared(let entry): isSent = wire.execute(entry, statement.sql.bindings)
                case .unprepared: isSent = wire.execute(statement.sql.text, statement.sql.bindings)
                }
            }
            isSent = isSent && wire.sync()
            line.addSync()
        }
        roundTrips += 1
        if !isSent { loss = wire.error }
    }

    private mutating func flush(_ actions: inout [Action]) {
        guard let wire, loss == nil else { return lose(nil, &actions) }
        switch wire.flush() {
        case .done: watch(.read)
        case .blocked: watch([.read, .write])
        case .failed: return lose(wire.error, &actions)
        }
        // Wherever libpq could not write at once, it has read what was there, and epoll won't tell of that.
        receive(&actions)
    }

    private mutating func watch(_ interest: Readiness) {
        // It fails only where the descriptor is gone, and then reading fails too.
        try? registration?.update(interest: interest)
    }

    /// A flight that the connection sends for itself.
    private func ours(_ statements: [Statement], waiter: Waiter? = nil) -> Flight<Waiter> {
        let flight = Flight(id: 0, .statements(statements), waiter: waiter, deadline: nil, file: #fileID, line: #line)
        flight.isOurs = true
        return flight
    }

    // MARK: Receiving

    mutating func ready(_ readiness: Readiness, _ actions: inout [Action]) {
        guard let wire else { return }
        if readiness.contains(.read), !wire.read() {
            receive(&actions)
            return lose(wire.error, &actions)
        }
        receive(&actions)
        if readiness.contains(.write), isOpen { flush(&actions) }
    }

    private mutating func receive(_ actions: inout [Action]) {
        while let wire, !line.isEmpty, let result = wire.next() {
            switch line.receive(result) {
            case .none: break
            case .finished(let flight): finish(flight, &actions)
            case .mustRepeat(let flight): sendAgain(flight, &actions)
            case .broken(let reason): lose(ServerError(sqlState: nil, message: reason), &actions)
            }
        }
        while let notification = wire?.nextNotification() {
            if let listener = listeners[notification.channel] {
                actions.append(.deliver(listener, notification.payload))
            }
        }
    }

    private mutating func finish(_ flight: Flight<Waiter>, _ actions: inout [Action]) {
        if case .script = flight.content, wire?.endScript() == false { return lose(nil, &actions) }
        if line.isEmpty, let wire { transaction = wire.transaction }
        switch flight.takeWaiter() {
        case .proof: settlement?.prove(flight.result)
        case let waiter?: actions.append(.resume(waiter, flight.result))
        case nil: break
        }
        advance(&actions)
    }

    private mutating func sendAgain(_ flight: Flight<Waiter>, _ actions: inout [Action]) {
        if let wire { transaction = wire.transaction }
        if transaction != .none { write(ours([Statement("ROLLBACK", prepare: false)]), true) }
        for statement in line.takeForgotten() { write(ours([Statement(statement, prepare: false)]), true) }
        line.beginAgain(flight)
        write(flight)
        flush(&actions)
    }

    // MARK: Cancelling

    mutating func abandon(_ id: UInt64, _ error: (Flight<Waiter>) -> PostgresError, _ actions: inout [Action]) {
        if let index = held.firstIndex(where: { $0.id == id }) {
            let flight = held.remove(at: index)
            if let waiter = flight.abandon() { actions.append(.resume(waiter, .failure(error(flight)))) }
        } else if let flight = line.flights.first(where: { $0.id == id }), let waiter = flight.abandon() {
            actions.append(.resume(waiter, .failure(error(flight))))
        }
        advance(&actions)
    }

    mutating func expire(at now: ContinuousClock.Instant, _ actions: inout [Action]) {
        wakesAt = nil
        var next: ContinuousClock.Instant?
        var due: [UInt64] = []
        func look(at flight: Flight<Waiter>) {
            guard let deadline = flight.deadline, flight.waiter != nil else { return }
            if deadline <= now {
                due.append(flight.id)
            } else {
                next = min(next ?? deadline, deadline)
            }
        }
        held.forEach(look)
        line.flights.visit(look)
        for id in due {
            abandon(id, { PostgresError(.timeout, "the deadline passed", file: $0.file, line: $0.line) }, &actions)
        }
        if let head = line.flights.first, let again = head.cancelsAgainAt {
            if again <= now {
                head.cancelsAgainAt = nil
                head.isCancelRequested = false
                advance(&actions)
            } else {
                next = min(next ?? again, again)
            }
        }
        if let next { wake(at: next, &actions) }
    }

    mutating func cancelReachedServer(at now: ContinuousClock.Instant, _ actions: inout [Action]) {
        isCancelling = false
        if let head = line.flights.first, head.isCancelRequested {
            let again = now.advanced(by: head.pauseBeforeCancel)
            head.cancelsAgainAt = again
            head.pauseBeforeCancel *= 2
            wake(at: again, &actions)
        }
        advance(&actions)
    }

    /// What can be done now that something has come to an end.
    private mutating func advance(_ actions: inout [Action]) {
        guard isOpen else { return }
        // With a neighbour behind it, the request could hit the neighbour, so then it only runs out.
        if line.isAllAbandoned, !isCancelling, let head = line.flights.first, !head.isCancelRequested,
            let cancellation = wire?.cancellation
        {
            head.isCancelRequested = true
            isCancelling = true
            actions.append(.cancelOnServer(cancellation))
        }
        while isOpen, let next = held.first, !isCancelling, !line.hasAbandoned, canFollow(next) {
            held.removeFirst()
            send(next, &actions)
        }
        settleIfQuiet(&actions)
    }

    private func canFollow(_ flight: Flight<Waiter>) -> Bool {
        if line.isEmpty { return true }
        if case .script = flight.content { return false }
        return !line.hasScript
    }

    // MARK: Giving back

    /// Calls `completion` once the connection is at rest, after a ROLLBACK where one is due, and says what it is fit for.
    mutating func settle(
        _ proof: LeaseProof, customSettings: [String], _ actions: inout [Action],
        _ completion: @escaping @Sendable (Settlement.Outcome) -> Void
    ) {
        guard isOpen else { return actions.append(.settled(completion, .lost)) }
        settlement = Settlement(proof: proof, customSettings: customSettings, completion: completion)
        var left: [UInt64] = held.map(\.id)
        line.flights.visit { if $0.waiter != nil { left.append($0.id) } }
        for id in left {
            abandon(
                id, { PostgresError(.cancelled, "the connection was given back", file: $0.file, line: $0.line) },
                &actions)
        }
        settleIfQuiet(&actions)
    }

    private mutating func settleIfQuiet(_ actions: inout [Action]) {
        guard isQuiet, isOpen, let step = settlement?.next(isInTransaction: transaction != .none, line.marks) else {
            return
        }
        switch step {
        case .rollBack: send(ours([Statement("ROLLBACK", prepare: false)]), &actions)
        case .prove(let sql): send(ours([Statement(sql)], waiter: .proof), &actions)
        case .done(let completion, var outcome):
            settlement = nil
            if case .clean = outcome {
                line.clearMarks()
                if !listeners.isEmpty { outcome = .unclean([.listening: listeners.keys.sorted()]) }
            }
            actions.append(.settled(completion, outcome))
        }
    }

    // MARK: Listening

    mutating func listen(_ channel: String, _ listener: Listener, _ actions: inout [Action]) {
        guard isOpen else { return actions.append(.end(listener, lossError(nil, file: #fileID, line: #line))) }
        listeners[channel] = listener
    }

    mutating func stopListening(_ channel: String) {
        listeners[channel] = nil
    }

    // MARK: Closing

    mutating func lose(_ error: ServerError?, _ actions: inout [Action]) {
        guard wire != nil else { return }
        loss = loss ?? error
        registration?.cancel()
        registration = nil
        wire = nil
        for flight in line.takeAll() + held {
            guard let waiter = flight.takeWaiter() else { continue }
            // What the server said last, such as that an administrator ended it, tells more than the broken socket.
            let error = lossError(
                flight.failure?.message, flight.failure?.sqlState, file: flight.file, line: flight.line)
            actions.append(.resume(waiter, .failure(error)))
        }
        held = []
        if let settlement { actions.append(.settled(settlement.completion, .lost)) }
        settlement = nil
        if let permit { actions.append(.release(permit)) }
        permit = nil
        for listener in listeners.values {
            actions.append(.end(listener, lossError(nil, file: #fileID, line: #line)))
        }
        listeners = [:]
        if let onClose { actions.append(.closed(onClose)) }
        onClose = nil
    }

    private func lossError(
        _ message: String?, _ sqlState: String? = nil, file: StaticString, line: UInt
    ) -> PostgresError {
        PostgresError(
            .connectionLost,
            ServerError(
                sqlState: sqlState ?? loss?.sqlState, message: message ?? loss?.message ?? "the connection is closed"),
            file: file, line: line)
    }

    private mutating func wake(at instant: ContinuousClock.Instant, _ actions: inout [Action]) {
        // One timer at a time: it comes at the earliest deadline, looks for what is due, and is set anew.
        guard wakesAt.map({ instant < $0 }) ?? true else { return }
        wakesAt = instant
        actions.append(.wakeAt(instant))
    }
}

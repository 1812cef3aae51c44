import Logging
import Reactor
import Synchronization

/// One session with a PostgreSQL server, always in pipeline mode.
///
/// The caller's thread writes; the reactor's thread reads and resumes the caller: one hop for a round trip.
package final class PostgresConnection: Sendable {
    private let core: Mutex<ConnectionCore>
    private let flights = Atomic<UInt64>(0)
    let leaseMark = LeaseMark()
    private let reactor: Reactor
    private let logger: Logger

    /// Threads of their own: where a network swallows everything, a request to cancel blocks for minutes, and must not
    /// keep connections from being opened.
    private static let cancellations = BlockingCalls(maximumThreads: 8)

    /// Takes over a wire that is connected and in pipeline mode.
    init(wire: Wire, settings: ConnectionSettings, reactor: Reactor, logger: Logger) throws {
        self.reactor = reactor
        self.logger = logger
        let socket = wire.socket
        core = Mutex(
            ConnectionCore(
                wire: wire, cacheCapacity: settings.preparesStatements ? settings.statementCacheCapacity : 0))
        let registration = try reactor.register(fd: socket) { [weak self] readiness in
            self?.change { core, actions in core.ready(readiness, &actions) }
        }
        change { core, _ in
            if core.isOpen { core.registration = registration } else { registration.cancel() }
        }
    }

    deinit {
        core.withLock { $0.registration?.cancel() }
    }

    /// Sends the statements together with one sync behind them, and waits for all of their results: one round trip.
    ///
    /// The first failure makes the server skip the rest, a COMMIT included, and is thrown with its `statementIndex`.
    package func flight(
        _ statements: [Statement], deadline: ContinuousClock.Instant? = nil, file: StaticString = #fileID,
        line: UInt = #line
    ) async throws -> [Rows] {
        for (index, statement) in statements.enumerated() {
            if let flaw = statement.flaw {
                throw PostgresError(.unsupported, flaw, statementIndex: index, file: file, line: line)
            }
        }
        return try await submit(.statements(statements), deadline, file, line)
    }

    /// A flight of one statement.
    package func query(
        _ sql: SQL, deadline: ContinuousClock.Instant? = nil, file: StaticString = #fileID, line: UInt = #line
    ) async throws -> Rows {
        try await flight([Statement(sql)], deadline: deadline, file: file, line: line)[0]
    }

    /// Runs any number of statements without parameters: one transaction, unless they say BEGIN and COMMIT themselves.
    package func script(
        _ text: String, deadline: ContinuousClock.Instant? = nil, file: StaticString = #fileID, line: UInt = #line
    ) async throws {
        if let flaw = Statement(SQL(unsafeSQL: text)).flaw {
            throw PostgresError(.unsupported, flaw, file: file, line: line)
        }
        _ = try await submit(.script(text), deadline, file, line)
    }

    /// Asks the server for a sign of life: one round trip that runs nothing.
    package func ping(deadline: ContinuousClock.Instant? = nil) async throws {
        _ = try await flight([], deadline: deadline)
    }

    /// The same for a pool, which has no task to wait in.
    func ping(deadline: ContinuousClock.Instant, _ completion: @escaping @Sendable (_ isAlive: Bool) -> Void) {
        let id = flights.add(1, ordering: .relaxed).newValue
        begin(id, .statements([]), .check(completion), deadline, #fileID, #line)
    }

    package var isOpen: Bool { core.withLock { $0.isOpen } }
    /// Whether a transaction is open, be it sound or failed.
    package var isInTransaction: Bool { core.withLock { $0.isInTransaction } }
    /// Whether the open transaction can only be rolled back.
    package var hasFailedTransaction: Bool { core.withLock { $0.hasFailedTransaction } }
    /// Whether nothing is under way and no transaction is open.
    package var isClean: Bool { core.withLock { $0.isClean } }
    /// How many syncs were sent, each of which costs one round trip.
    package var roundTrips: Int { core.withLock { $0.roundTrips } }
    package var preparedStatements: Int { core.withLock { $0.preparedStatements } }
    /// What the server reports of itself, such as `server_version` or `in_hot_standby`.
    package func parameter(_ name: String) -> String? { core.withLock { $0.parameter(name) } }
    /// The server's process, as `pg_stat_activity.pid` has it.
    package var serverProcess: Int32? { core.withLock { $0.serverProcess } }

    /// Whether a pool may lend it to somebody else as it is.
    func isFit(_ proof: LeaseProof) -> Bool { core.withLock { $0.isFit(proof) } }

    /// Ends the session; whatever is under way fails.
    package func close() {
        close(then: nil)
    }

    /// The same; calls `ended` once the server has ended its side too, or had time enough.
    func close(then ended: (@Sendable () -> Void)?) {
        var permit: ConnectionPermit?
        var farewell: Farewell?
        change { core, actions in
            permit = core.permit
            core.permit = nil
            if permit != nil || ended != nil, let socket = core.socket {
                farewell = Farewell(socket, reactor: reactor) { [permit] in
                    permit?.release()
                    ended?()
                }
            }
            core.lose(ServerError(sqlState: nil, message: "the connection was closed"), &actions)
        }
        if let farewell {
            permit?.leave()
            farewell.begin()
        } else {
            permit?.release()
            ended?()
        }
    }

    /// Hands the connection its right to be open, which it gives back when it is not any more.
    func hold(_ permit: ConnectionPermit) {
        change { core, actions in
            if core.isOpen { core.permit = permit } else { actions.append(.release(permit)) }
        }
    }

    /// Calls `action` once, on some thread, when the connection is lost or closed.
    func onClose(_ action: @escaping @Sendable () -> Void) {
        change { core, actions in
            if core.isOpen { core.onClose = action } else { actions.append(.closed(action)) }
        }
    }

    /// Brings the connection to rest, and says whether it is fit for somebody else; closes it where that takes too long.
    func settle(
        _ proof: LeaseProof, customSettings: [String], within limit: Duration,
        _ completion: @escaping @Sendable (Settlement.Outcome) -> Void
    ) {
        let timer = reactor.schedule(after: limit) { [weak self] in
            self?.change { core, actions in
                core.lose(ServerError(sqlState: nil, message: "it did not come to rest in time"), &actions)
            }
        }
        change { core, actions in
            core.settle(proof, customSettings: customSettings, &actions) { outcome in
                timer.cancel()
                completion(outcome)
            }
        }
    }

    // MARK: Listening

    /// What is notified on the channel from now on; the connection should serve nothing else.
    ///
    /// The stream keeps the connection alive, and ends with an error when it is lost. A consumer that falls behind
    /// loses the oldest notifications.
    package func notifications(
        on channel: String, keeping limit: Int = 256, file: StaticString = #fileID, line: UInt = #line
    ) async throws -> AsyncThrowingStream<String, any Error> {
        let (stream, continuation) = AsyncThrowingStream<String, any Error>.makeStream(
            bufferingPolicy: .bufferingNewest(limit))
        continuation.onTermination = { [self] _ in
            change { core, _ in core.stopListening(channel) }
        }
        change { core, actions in core.listen(channel, continuation, &actions) }
        do {
            _ = try await flight([Statement("LISTEN \(identifier: channel)", prepare: false)], file: file, line: line)
        } catch {
            change { core, _ in core.stopListening(channel) }
            throw error
        }
        return stream
    }

    // MARK: Running

    private func submit(
        _ content: Flight<ConnectionCore.Waiter>.Content, _ deadline: ContinuousClock.Instant?, _ file: StaticString,
        _ line: UInt
    ) async throws -> [Rows] {
        if Task.isCancelled { throw Self.cancelled(file, line) }
        let id = flights.add(1, ordering: .relaxed).newValue
        return try await withTaskCancellationHandler {
            // Unsafe only in that nothing checks that it resumes once; a flight hands its waiter out once.
            try await withUnsafeThrowingContinuation { continuation in
                begin(id, content, .task(continuation), deadline, file, line)
                // A cancellation that came before the line above found no flight to abandon.
                if Task.isCancelled { abandon(id) }
            }
        } onCancel: {
            abandon(id)
        }
    }

    private func begin(
        _ id: UInt64, _ content: Flight<ConnectionCore.Waiter>.Content, _ waiter: ConnectionCore.Waiter,
        _ deadline: ContinuousClock.Instant?, _ file: StaticString, _ line: UInt
    ) {
        change { core, actions in
            let flight = Flight(id: id, content, waiter: waiter, deadline: deadline, file: file, line: line)
            core.submit(flight, &actions)
        }
    }

    private func abandon(_ id: UInt64) {
        change { core, actions in core.abandon(id, { Self.cancelled($0.file, $0.line) }, &actions) }
    }

    private static func cancelled(_ file: StaticString, _ line: UInt) -> PostgresError {
        PostgresError(.cancelled, "the task was cancelled", file: file, line: line)
    }

    private func change(_ body: (inout ConnectionCore, inout [ConnectionCore.Action]) -> Void) {
        var actions: [ConnectionCore.Action] = []
        core.withLock { body(&$0, &actions) }
        for action in actions { perform(action) }
    }

    private func perform(_ action: ConnectionCore.Action) {
        switch action {
        case .resume(let waiter, let result): waiter.resume(with: result)
        case .settled(let completion, let outcome): completion(outcome)
        case .release(let permit): permit.release()
        case .closed(let action): action()
        case .deliver(let listener, let payload): listener.yield(payload)
        case .end(let listener, let error): listener.finish(throwing: error)
        case .wakeAt(let instant):
            reactor.schedule(at: instant) { [weak self] in
                self?.change { core, actions in core.expire(at: .now, &actions) }
            }
        case .cancelOnServer(let cancellation):
            Self.cancellations.run { [self] in
                // What was destroyed while the request waited for a thread needs none.
                guard isOpen else { return }
                if let failure = cancellation.send() {
                    logger.info("a statement could not be cancelled", metadata: ["reason": .string(failure)])
                }
                change { core, actions in core.cancelReachedServer(at: .now, &actions) }
            }
        }
    }
}

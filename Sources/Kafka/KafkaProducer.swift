package import Logging
import Reactor
import ServiceLifecycle
import Synchronization

/// Sends records, each once and in order, and tells what became of each.
///
/// Idempotent, and waits for all in-sync replicas. A fatal error of the idempotent protocol fails what is under way and
/// replaces the client underneath, so that the next call starts afresh.
package final class KafkaProducer: Service {
    private typealias State = ProducerState<CheckedContinuation<Void, Never>>

    private struct Guarded {
        var state = State()
        var clients: [State.SessionID: ClientHandle] = [:]
        var lastSession: State.SessionID = 0
        var isClosed = false

        mutating func dropIfIdle(_ session: State.SessionID) -> ClientHandle? {
            state.forgetIfIdle(session) ? clients.removeValue(forKey: session) : nil
        }
    }

    private let guarded = Mutex(Guarded())
    private let settings: KafkaSettings
    private let logger: Logger

    package init(_ settings: KafkaSettings, logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        try startSession()
    }

    package var statistics: ProducerStatistics { guarded.withLock { $0.state.statistics } }

    /// Returns when the broker has answered for every record, one result for each, in their order.
    ///
    /// Records of one call keep their order within a partition, those that fail left out. Waits while the local queue is
    /// full. When the task is cancelled it returns at once, with `cancelled` for what has not been answered yet.
    ///
    /// - Parameter onQueued: runs once all records are queued, whether or not any has been answered.
    package func produce(
        _ records: [KafkaRecord], onQueued: () async -> Void = {}
    ) async -> [Result<Delivery, KafkaError>] {
        guard !records.isEmpty else { return [] }
        let flight: State.FlightID
        var mustWait: Bool
        do throws(KafkaError) {
            if Task.isCancelled { throw KafkaError(.cancelled) }
            (flight, mustWait) = try open(records.count)
        } catch {
            return Array(repeating: .failure(error), count: records.count)
        }
        var index = 0
        queueing: while true {
            if mustWait {
                await park(flight)
                guard guarded.withLock({ $0.state.hasTurn(flight) }) else { break }
            }
            switch queue(records, from: index, flight) {
            case .done: break queueing
            case .tryAgain(let from): (index, mustWait) = (from, false)
            case .wait(let from): (index, mustWait) = (from, true)
            }
        }
        await onQueued()
        await park(flight)
        return guarded.withLock { $0.state.take(flight) }
    }

    private func open(_ count: Int) throws(KafkaError) -> (State.FlightID, Bool) {
        try guarded.withLock { guarded throws(KafkaError) in try guarded.state.open(records: count) }
    }

    private func queue(_ records: [KafkaRecord], from index: Int, _ flight: State.FlightID) -> State.Next {
        let count = records.count - index
        let begun = guarded.withLock { guarded -> (session: State.SessionID, client: ClientHandle, seen: UInt64)? in
            guard let begun = guarded.state.beginQueueing(flight, records: count) else { return nil }
            return (begun.session, guarded.clients[begun.session]!, begun.seen)
        }
        guard let (session, client, seen) = begun else {
            resume(guarded.withLock { $0.state.abandon(flight, KafkaError(.fatal, "the producer is starting afresh")) })
            return .done
        }
        var refused: [(Int, KafkaError)] = []
        let stop = client.enqueue(
            records, from: index, token: { State.token(flight, $0) }, refused: { refused.append(($0, $1)) })
        let stoppedAt: Int?
        switch stop {
        case .end: stoppedAt = nil
        case .queueFull(let index): stoppedAt = index
        case .closed:
            stoppedAt = nil
            refused = (index..<records.count).map { ($0, KafkaError(.closed)) }
        }
        let (next, wake, idle) = guarded.withLock { guarded in
            let (next, wake) = guarded.state.endQueueing(
                flight, stoppedAt: stoppedAt, of: records.count, refused: refused, seen: seen)
            return (next, wake, guarded.dropIfIdle(session))
        }
        // Its deinit ends it on a thread of its own.
        _ = idle
        resume(wake)
        return next
    }

    /// Waits until the flight's turn has come or all its records have results.
    private func park(_ flight: State.FlightID) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (waits, cancelled) = guarded.withLock { guarded in
                    if Task.isCancelled { return (false, guarded.state.abandon(flight, KafkaError(.cancelled))) }
                    return (guarded.state.park(flight, continuation), [])
                }
                resume(cancelled)
                if !waits { continuation.resume() }
            }
        } onCancel: {
            resume(guarded.withLock { $0.state.abandon(flight, KafkaError(.cancelled)) })
        }
    }

    private func resume(_ waiters: [CheckedContinuation<Void, Never>]) {
        for waiter in waiters { waiter.resume() }
    }

    // MARK: Sessions

    private func startSession() throws {
        let client = try ClientHandle(.producer, properties: settings.producerProperties)
        let session = guarded.withLock { guarded -> State.SessionID? in
            if guarded.isClosed { return nil }
            guarded.lastSession += 1
            guarded.clients[guarded.lastSession] = client
            guarded.state.start(guarded.lastSession)
            return guarded.lastSession
        }
        guard let session else { return }
        // Runs on the reactor's thread; the client does not keep its producer.
        try client.watch { [weak self, weak client] in
            guard let self, let client else { return }
            client.drainEvents { self.handle($0, session) }
        }
    }

    private func handle(_ event: ClientEvent, _ session: State.SessionID) {
        switch event {
        case .deliveries(let reports):
            let (wake, idle) = guarded.withLock { guarded in
                let wake = guarded.state.settle(session, reports)
                return (wake, guarded.dropIfIdle(session))
            }
            _ = idle
            resume(wake)
        case .error(let error):
            guarded.withLock { $0.state.noteError() }
            logger.take(error)
            if error.isFatal { replace(session) }
        case .log(let line):
            logger.take(line)
        case .assigned, .revoked, .committed:
            break
        }
    }

    private func replace(_ session: State.SessionID) {
        let (ended, idle) = guarded.withLock { guarded in
            let ended = guarded.state.end(session) && !guarded.isClosed
            return (ended, guarded.dropIfIdle(session))
        }
        _ = idle
        guard ended else { return }
        // librdkafka fails what is queued by itself; what is in flight gets its answer, if one comes.
        Reactor.shared.schedule(after: settings.closeTimeout) { [weak self] in
            self?.guarded.withLock { $0.clients[session] }?.purge(includingInFlight: true)
        }
        BlockingCalls.shared.run { [weak self] in self?.restart() }
    }

    private func restart() {
        do {
            try startSession()
            logger.info("producer started afresh after a fatal error")
        } catch {
            logger.error("producer cannot start afresh, will try again", metadata: ["error": "\(error)"])
            Reactor.shared.schedule(after: .seconds(1)) { [weak self] in
                BlockingCalls.shared.run { [weak self] in self?.restart() }
            }
        }
    }

    // MARK: Ending

    /// Waits for shutdown, then closes.
    package func run() async throws {
        try? await gracefulShutdown()
        await close()
    }

    /// Takes no more records, waits for those under way as long as `closeTimeout`, fails the rest, and lets go.
    package func close() async {
        guarded.withLock { $0.state.beginClosing() }
        var isClean = true
        if await !finishes(within: settings.closeTimeout) {
            isClean = false
            for client in guarded.withLock({ Array($0.clients.values) }) { client.purge(includingInFlight: true) }
            if await !finishes(within: .seconds(1)) {
                resume(guarded.withLock { $0.state.abandonAll(KafkaError(.unreported)) })
            }
        }
        let clients = guarded.withLock { guarded in
            defer { guarded.clients = [:] }
            guarded.isClosed = true
            return Array(guarded.clients.values)
        }
        for client in clients {
            if isClean { await client.close() } else { client.beginClosing() }
        }
    }

    /// Not cut short by cancellation: shutdown is bounded by the time it is given.
    private func finishes(within time: Duration) async -> Bool {
        let deadline = ContinuousClock.now.advanced(by: time)
        let timer = Reactor.shared.schedule(at: deadline) { [weak self] in
            guard let self else { return }
            resume(guarded.withLock { $0.state.wakeClosers() })
        }
        await withCheckedContinuation { continuation in
            // A timer that has fired already wakes nobody.
            let waits = guarded.withLock { ContinuousClock.now < deadline && $0.state.parkCloser(continuation) }
            if !waits { continuation.resume() }
        }
        timer.cancel()
        return guarded.withLock { $0.state.isIdle }
    }
}

package import Logging
import Reactor
import ServiceLifecycle
import Synchronization

/// Lends connections to one database; callers wait in line where all are in use.
package final class PostgresPool: Service {
    private typealias Waiter = UnsafeContinuation<Machine.Lease, any Error>
    private typealias Machine = PoolStateMachine<PostgresConnection, LeaseWaiter>

    package let settings: ConnectionSettings
    package let configuration: PoolConfiguration
    package let budget: ConnectionBudget?
    private let numberInBudget: Int
    private let logger: Logger
    private let machine: Mutex<Machine>
    private let acquisitions = Atomic<UInt64>(0)
    private let drain = Mutex(Drain())

    private struct Drain: ~Copyable {
        var isDone = false
        var waiter: UnsafeContinuation<Void, Never>?
    }

    /// What stands in line: told once.
    private struct LeaseWaiter: Sendable {
        let continuation: Waiter
    }

    /// - Parameter budget: what the pool shares with others; it then keeps no minimum of idle connections.
    package init(
        _ settings: ConnectionSettings, _ configuration: PoolConfiguration = .init(),
        budget: ConnectionBudget? = nil, logger: Logger
    ) {
        self.settings = settings
        self.configuration = configuration
        var logger = logger
        logger[metadataKey: "pool"] = .string(configuration.name)
        self.logger = logger
        self.budget = budget
        numberInBudget = budget?.enrol() ?? 0
        var isWantedElsewhere: (@Sendable () -> Bool)?
        if let budget { isWantedElsewhere = { budget.isShort } }
        machine = Mutex(
            Machine(configuration, isWantedElsewhere: isWantedElsewhere) { Double.random(in: 0...1) })
    }

    package var statistics: PoolStatistics { machine.withLock { $0.statistics } }
    var placesKeptForTheGone: Int { machine.withLock { $0.placesKeptForTheGone } }

    /// Lends a connection to `body` and takes it back afterwards: as it is where it is clean, after a ROLLBACK where a
    /// transaction is open, drained where a statement was abandoned, and destroyed where a session's state is left on
    /// it. It must not be used once `body` has returned.
    ///
    /// Throws what `body` throws, `poolExhausted` where no connection came free in time, `nestedAcquisition` where the
    /// task has a connection of this pool or of its budget already, or what kept connections from being opened.
    package func withConnection<Value>(
        for borrower: PoolBorrower = .system, deadline: ContinuousClock.Instant? = nil,
        _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        let own = ObjectIdentifier(self)
        let shared = budget.map { ObjectIdentifier($0) }
        let outer = HeldLease.innermost
        if let outer, outer.excludes(pool: own, budget: shared) { throw nested }
        let lease = try await acquire(borrower, deadline)
        let held = HeldLease(lease.connection, pool: own, budget: shared, inside: outer)
        defer {
            held.end()
            giveBack(lease)
        }
        return try await HeldLease.$innermost.withValue(held) { try await body(lease.connection) }
    }

    /// Keeps the minimum of connections open until the service is shut down; then waits for those that are lent.
    package func run() async throws {
        perform(machine.withLock { $0.keepMinimum(at: .now) })
        await withTaskCancellationOrGracefulShutdownHandler {
            await drained()
        } onCancelOrGracefulShutdown: {
            self.close()
        }
    }

    /// Fails those who wait, closes what is idle, and everything else as it comes back.
    package func close() {
        perform(machine.withLock { $0.close(at: .now) })
    }

    /// What is notified on the channel, heard by a connection of its own outside the pool's maximum.
    ///
    /// Whatever is notified after this has returned is heard. Ends with an error when the connection is lost: call
    /// again, and look for what was missed.
    package func notifications(
        on channel: String, keeping limit: Int = 256
    ) async throws -> AsyncThrowingStream<String, any Error> {
        guard budget == nil else {
            throw PostgresError(
                .unsupported, "a listener would keep a connection of the budget: listen through a pool without one")
        }
        let connection = try await PostgresConnection.connect(
            settings, logger: logger, deadline: .now.advanced(by: configuration.acquisitionTimeout))
        do {
            return try await connection.notifications(on: channel, keeping: limit)
        } catch {
            connection.close()
            throw error
        }
    }

    // MARK: Running what the state machine decides

    private func acquire(
        _ borrower: PoolBorrower, _ deadline: ContinuousClock.Instant?
    ) async throws -> Machine.Lease {
        let now = ContinuousClock.now
        if let lease = machine.withLock({ $0.lendAtOnce(borrower, at: now) }) { return lease }
        if Task.isCancelled { throw Self.cancelled }
        let limit = now.advanced(by: configuration.acquisitionTimeout)
        let id = acquisitions.add(1, ordering: .relaxed).newValue
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { (continuation: Waiter) in
                perform(
                    machine.withLock { machine in
                        machine.enqueue(
                            LeaseWaiter(continuation: continuation), id: id, for: borrower,
                            deadline: min(deadline ?? limit, limit), at: now)
                    })
                // A cancellation that came before the line above found nobody in the line.
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func cancel(_ id: UInt64) {
        machine.withLock { $0.cancel(id, at: .now) }?.continuation.resume(throwing: Self.cancelled)
    }

    private func giveBack(_ lease: Machine.Lease) {
        if lease.connection.isFit(configuration.proof) {
            return perform(machine.withLock { $0.returned(lease.id, at: .now) })
        }
        lease.connection.settle(
            configuration.proof, customSettings: configuration.customSettings, within: configuration.settleTimeout
        ) { outcome in
            if case .unclean(let leftovers) = outcome { self.warn(of: leftovers) }
            self.perform(
                self.machine.withLock { machine in
                    switch outcome {
                    case .clean: machine.returned(lease.id, at: .now)
                    case .unclean(let leftovers): machine.spoilt(lease.id, by: Set(leftovers.keys), at: .now)
                    case .lost: machine.lost(lease.id, at: .now)
                    }
                })
        }
    }

    private func warn(of leftovers: [Leftover: [String]]) {
        let found = leftovers.sorted { $0.key.rawValue < $1.key.rawValue }.map { leftover, names in
            names.isEmpty ? leftover.rawValue : "\(leftover.rawValue) \(names.prefix(8).joined(separator: ", "))"
        }
        logger.warning(
            "a borrower left something in its session, which is closed for it",
            metadata: ["left": .array(found.map { .string($0) })])
    }

    private func perform(_ actions: [Machine.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: Machine.Action) {
        switch action {
        case .lend(let lease, let waiter): waiter.continuation.resume(returning: lease)
        case .fail(let waiter, let error): waiter.continuation.resume(throwing: error)
        case .open(let id):
            if let budget { budget.request(self, number: numberInBudget, entry: id) } else { open(id, nil) }
        case .check(let lease): check(lease)
        case .close(let id, let connection):
            connection.close { [weak self] in
                guard let self else { return }
                perform(machine.withLock { $0.closed(id, at: .now) })
            }
        case .wake(let instant):
            Reactor.shared.schedule(at: instant) { [weak self] in
                guard let self else { return }
                perform(machine.withLock { $0.tick(at: .now) })
            }
        case .drained:
            let waiter = drain.withLock { drain in
                drain.isDone = true
                defer { drain.waiter = nil }
                return drain.waiter
            }
            waiter?.resume()
        }
    }

    private func open(_ id: Int, _ permit: ConnectionPermit?) {
        let attempt = ConnectionAttempt(settings, reactor: .shared, logger: logger) { [weak self] result in
            if let permit, case .success(let connection) = result { connection.hold(permit) }
            guard let self else { return (try? result.get())?.close() ?? () }
            switch result {
            case .success(let connection):
                perform(machine.withLock { $0.opened(id, connection, at: .now) })
                connection.onClose { [weak self] in
                    guard let self else { return }
                    perform(machine.withLock { $0.lost(id, at: .now) })
                }
            case .failure(let error):
                permit?.release()
                logger.info("cannot connect to PostgreSQL", metadata: ["error": .stringConvertible(error)])
                perform(machine.withLock { $0.failedToOpen(id, error, at: .now) })
            }
        }
        attempt.start(deadline: nil)
    }

    private func check(_ lease: Machine.Lease) {
        lease.connection.ping(deadline: .now.advanced(by: configuration.healthCheckTimeout)) { [weak self] isAlive in
            guard let self else { return }
            perform(
                machine.withLock { machine in
                    isAlive ? machine.returned(lease.id, at: .now) : machine.lost(lease.id, at: .now)
                })
        }
    }

    private func drained() async {
        await withUnsafeContinuation { continuation in
            let isDone = drain.withLock { drain in
                if !drain.isDone { drain.waiter = continuation }
                return drain.isDone
            }
            if isDone { continuation.resume() }
        }
    }

    private static var cancelled: PostgresError {
        PostgresError(.cancelled, "the task was cancelled")
    }

    private var nested: PostgresError {
        PostgresError(
            .nestedAcquisition,
            """
            the task has a connection of pool \(configuration.name) or of its budget already, and would wait for \
            itself once none is left: hand that connection on, or ask for another after the body has returned
            """)
    }
}

extension PostgresPool: BudgetMember {
    var idleSince: ContinuousClock.Instant? { machine.withLock { $0.idleSince } }

    func giveUpIdle() {
        perform(machine.withLock { $0.giveUpIdle() })
    }

    func permitted(_ entry: Int, _ permit: ConnectionPermit) -> Bool {
        guard machine.withLock({ $0.mayOpen(entry) }) else { return false }
        open(entry, permit)
        return true
    }
}

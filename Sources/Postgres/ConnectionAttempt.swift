package import Logging
import Reactor
import Synchronization

/// Opens one connection, step by step as the socket allows; blocks no thread of ours.
final class ConnectionAttempt: Sendable {
    typealias Completion = @Sendable (Result<PostgresConnection, PostgresError>) -> Void

    private struct State: ~Copyable {
        var wire: Wire?
        var registration: Reactor.Registration?
        var timer: Reactor.Timer?
        /// Nothing once it was called.
        var completion: Completion?
    }

    private let state: Mutex<State>
    private let settings: ConnectionSettings
    private let reactor: Reactor
    private let logger: Logger

    init(_ settings: ConnectionSettings, reactor: Reactor, logger: Logger, _ completion: @escaping Completion) {
        self.settings = settings
        self.reactor = reactor
        self.logger = logger
        state = Mutex(State(completion: completion))
    }

    func start(deadline: ContinuousClock.Instant?) {
        let limit = ContinuousClock.now.advanced(by: settings.connectTimeout)
        let timer = reactor.schedule(at: min(deadline ?? limit, limit)) { [weak self] in
            self?.fail(.connectFailed, ServerError(sqlState: nil, message: "no answer in time"))
        }
        state.withLock { $0.timer = timer }
        // Looking a host's name up blocks.
        if settings.needsNameLookup { BlockingCalls.shared.run { [self] in begin() } } else { begin() }
    }

    func cancel() {
        fail(.cancelled, ServerError(sqlState: nil, message: "the task was cancelled"))
    }

    private func begin() {
        guard state.withLock({ $0.completion != nil }) else { return }
        if let flaw = settings.flaw { return fail(.invalidSettings, ServerError(sqlState: nil, message: flaw)) }
        guard let wire = Wire(settings, logger: logger) else {
            return fail(.connectFailed, ServerError(sqlState: nil, message: "out of memory"))
        }
        if wire.hasFailed { return fail(.connectFailed, wire.error) }
        state.withLock { state in
            if state.completion != nil { state.wire = wire }
        }
        // Before the first poll, libpq wants the socket to be writable.
        wait(for: .write)
    }

    private func wait(for interest: Readiness) {
        let failure: (any Error)? = state.withLock { state in
            guard let wire = state.wire else { return nil }
            do {
                // Anew for each step: libpq may have gone on to another address, with another socket.
                state.registration = try reactor.register(fd: wire.socket, interest: interest) { [self] _ in step() }
                return nil
            } catch {
                return error
            }
        }
        if let failure { fail(.connectFailed, ServerError(sqlState: nil, message: "\(failure)")) }
    }

    private func step() {
        let next = state.withLock { state -> (Wire, Wire.Progress)? in
            guard let wire = state.wire else { return nil }
            state.registration?.cancel()
            state.registration = nil
            return (wire, wire.continueConnecting())
        }
        guard let (wire, progress) = next else { return }
        switch progress {
        case .reading: wait(for: .read)
        case .writing: wait(for: .write)
        case .failed: fail(.connectFailed, state.withLock { _ in wire.error })
        case .ready: finish()
        }
    }

    private func finish() {
        let taken = state.withLock { state -> (Wire, Completion)? in
            guard let wire = state.wire, let completion = state.completion else { return nil }
            state.wire = nil
            state.completion = nil
            state.timer?.cancel()
            state.timer = nil
            return (wire, completion)
        }
        guard let (wire, completion) = taken else { return }
        do {
            guard wire.beginPipeline() else { throw Self.error(.connectFailed, wire.error, settings) }
            let connection = try PostgresConnection(wire: wire, settings: settings, reactor: reactor, logger: logger)
            completion(.success(connection))
        } catch let error as PostgresError {
            completion(.failure(error))
        } catch {
            completion(
                .failure(Self.error(.connectFailed, ServerError(sqlState: nil, message: "\(error)"), settings)))
        }
    }

    private func fail(_ code: PostgresError.Code, _ reason: ServerError) {
        let completion = state.withLock { state in
            state.registration?.cancel()
            state.registration = nil
            state.timer?.cancel()
            state.timer = nil
            state.wire = nil
            defer { state.completion = nil }
            return state.completion
        }
        completion?(.failure(Self.error(code, reason, settings)))
    }

    private static func error(
        _ code: PostgresError.Code, _ reason: ServerError, _ settings: ConnectionSettings
    ) -> PostgresError {
        var reason = reason
        reason.message = "cannot connect to \(settings): \(reason.message)"
        return PostgresError(code, reason, file: #fileID, line: #line)
    }
}

extension PostgresConnection {
    /// Opens a connection; fails with `connectFailed`, and the server's SQLSTATE where it had one to tell.
    package static func connect(
        _ settings: ConnectionSettings, logger: Logger, deadline: ContinuousClock.Instant? = nil
    ) async throws -> PostgresConnection {
        let promise = ConnectionPromise()
        let attempt = ConnectionAttempt(settings, reactor: .shared, logger: logger) { promise.fulfil($0) }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                promise.wait(continuation)
                attempt.start(deadline: deadline)
                if Task.isCancelled { attempt.cancel() }
            }
        } onCancel: {
            attempt.cancel()
        }
    }
}

/// Brings the outcome of an attempt and whoever waits for it together, whichever comes first.
private final class ConnectionPromise: Sendable {
    typealias Outcome = Result<PostgresConnection, PostgresError>

    private enum State {
        case new
        case waiting(UnsafeContinuation<PostgresConnection, any Error>)
        case fulfilled(Outcome)
        case done
    }

    private let state = Mutex(State.new)

    func wait(_ continuation: UnsafeContinuation<PostgresConnection, any Error>) {
        let outcome: Outcome? = state.withLock { state in
            guard case .fulfilled(let outcome) = state else {
                state = .waiting(continuation)
                return nil
            }
            state = .done
            return outcome
        }
        if let outcome { continuation.resume(with: outcome) }
    }

    func fulfil(_ outcome: Outcome) {
        let continuation: UnsafeContinuation<PostgresConnection, any Error>? = state.withLock { state in
            switch state {
            case .new:
                state = .fulfilled(outcome)
                return nil
            case .waiting(let continuation):
                state = .done
                return continuation
            case .fulfilled, .done: return nil
            }
        }
        continuation?.resume(with: outcome)
    }
}

import Reactor
import Synchronization

extension BlockingCalls {
    /// For calls that wait for a broker: one that is out of reach must not hold up anybody else's.
    static let kafka = BlockingCalls(maximumThreads: 4)

    /// Runs a call that blocks, away from Swift's threads; when the task is cancelled it returns at once, and what the
    /// call comes to is dropped.
    func result<Result: Sendable>(of call: @escaping @Sendable () throws -> Result) async throws -> Result {
        let outcome = Outcome<Result>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard outcome.wait(continuation) else { return }
                run { outcome.settle(.init(catching: call)) }
            }
        } onCancel: {
            outcome.settle(.failure(CancellationError()))
        }
    }

    private final class Outcome<Value: Sendable>: Sendable {
        private enum Phase {
            /// Goes to `waiting` or, when cancelled first, to `settled`.
            case new
            case waiting(CheckedContinuation<Value, any Error>)
            case settled
        }

        private let phase = Mutex(Phase.new)

        func wait(_ continuation: CheckedContinuation<Value, any Error>) -> Bool {
            let waits = phase.withLock { phase in
                guard case .new = phase else { return false }
                phase = .waiting(continuation)
                return true
            }
            if !waits { continuation.resume(throwing: CancellationError()) }
            return waits
        }

        func settle(_ result: Swift.Result<Value, any Error>) {
            let continuation = phase.withLock { phase -> CheckedContinuation<Value, any Error>? in
                defer { phase = .settled }
                guard case .waiting(let continuation) = phase else { return nil }
                return continuation
            }
            continuation?.resume(with: result)
        }
    }
}

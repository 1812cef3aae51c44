import Dispatch
import Kernel
import Synchronization
import Web

/// Runs what takes long and much memory, a few at a time and on threads of its own, first come, first served.
///
/// However many logins arrive at once, memory and processors that they take are bounded, and other requests go on.
final class HashingQueue: Sendable {
    private struct Waiting {
        let ticket: UInt64
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var free: Int
        var waiting: [Waiting] = []
        var nextTicket: UInt64 = 0
    }

    private let state: Mutex<State>
    private let patience: Int
    private let threads = DispatchQueue(label: "atrium.passwords", qos: .utility, attributes: .concurrent)

    /// - Parameters:
    ///   - width: how many run at once.
    ///   - patience: how many may wait; more are turned away.
    init(width: Int, patience: Int) {
        state = Mutex(State(free: width))
        self.patience = patience
    }

    func run<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async throws -> Result {
        try await enter()
        defer { leave() }
        return await withCheckedContinuation { continuation in
            threads.async { continuation.resume(returning: work()) }
        }
    }

    var waitingCount: Int { state.withLock { $0.waiting.count } }
    var isFree: Bool { state.withLock { $0.free > 0 } }

    private enum Admission {
        case enter, wait, turnedAway, cancelled
    }

    private func enter() async throws {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let admission: Admission = state.withLock { state in
                    // A handler that ran before this finds nobody waiting, so it is looked for here.
                    if Task.isCancelled { return .cancelled }
                    if state.free > 0 {
                        state.free -= 1
                        return .enter
                    }
                    guard state.waiting.count < patience else { return .turnedAway }
                    state.waiting.append(Waiting(ticket: ticket, continuation: continuation))
                    return .wait
                }
                switch admission {
                case .enter: continuation.resume()
                case .wait: break
                case .turnedAway: continuation.resume(throwing: TooManyLogins())
                case .cancelled: continuation.resume(throwing: CancellationError())
                }
            }
        } onCancel: {
            let cancelled = state.withLock { state in
                state.waiting.firstIndex { $0.ticket == ticket }.map { state.waiting.remove(at: $0) }
            }
            cancelled?.continuation.resume(throwing: CancellationError())
        }
    }

    private func leave() {
        let next: Waiting? = state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.continuation.resume()
    }
}

/// More logins wait for their password check than can be served in time.
struct TooManyLogins: Error, TransientFailure {
    var retryAfter: Duration { .seconds(2) }
}

import Dispatch
import Synchronization

/// A value that arrives once and is awaited by any number of tasks, and by threads at exit.
final class Promise<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var nextWaiter = 0
        var waiters: [Int: @Sendable (Value) -> Void] = [:]
        var continuations: [Int: CheckedContinuation<Value, any Error>] = [:]
        /// Waiters whose task was cancelled before they could register.
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    var current: Value? { state.withLock { $0.value } }

    /// The first value counts; later ones are dropped.
    func fulfil(_ value: Value) {
        let before: State? = state.withLock { state in
            guard state.value == nil else { return nil }
            defer { state = State(value: value) }
            return state
        }
        guard let before else { return }
        for waiter in before.waiters.values { waiter(value) }
        for continuation in before.continuations.values { continuation.resume(returning: value) }
    }

    func value() async throws -> Value {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome: Result<Value, any Error>? = state.withLock { state in
                    if let value = state.value { return .success(value) }
                    if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
                    state.continuations[id] = continuation
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                let waiting = state.continuations.removeValue(forKey: id)
                if waiting == nil, state.value == nil { state.cancelled.insert(id) }
                return waiting
            }
            continuation?.resume(throwing: CancellationError())
        }
    }

    /// Blocks the calling thread: for exit handlers only, never inside a task.
    func wait(seconds: Double) -> Value? {
        let semaphore = DispatchSemaphore(value: 0)
        let already = state.withLock { state in
            if state.value != nil { return true }
            state.nextWaiter += 1
            state.waiters[state.nextWaiter] = { _ in semaphore.signal() }
            return false
        }
        if !already { _ = semaphore.wait(timeout: .now() + seconds) }
        return current
    }
}

/// Runs `body`, and cancels it and throws `late` when it takes longer than `limit`.
package func withDeadline<R: Sendable>(
    _ limit: Duration, late: DevStackError, _ body: @escaping @Sendable () async throws -> R
) async throws -> R {
    try await withThrowingTaskGroup(of: R.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw late
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() else { throw late }
        return result
    }
}

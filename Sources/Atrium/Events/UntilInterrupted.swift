import UnixSignals

/// Runs `body` until it ends, or until SIGINT or SIGTERM asks it to, which is no error.
func untilInterrupted(_ body: @escaping @Sendable () async throws -> Void) async throws {
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    try await withThrowingTaskGroup(of: Bool.self) { group in
        group.addTask {
            try await body()
            return false
        }
        group.addTask {
            for await _ in signals { return true }
            return false
        }
        defer { group.cancelAll() }
        let wasInterrupted = try await group.next() ?? false
        guard wasInterrupted else { return }
        group.cancelAll()
        do {
            while try await group.next() != nil {}
        } catch is CancellationError {
            // That is how the body was told.
        }
    }
}

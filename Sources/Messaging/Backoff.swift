/// Waits that double up to a limit, each with jitter so that many who failed together don't come back together.
struct Backoff {
    private var ceiling: Duration
    private let limit: Duration

    init(first: Duration = .milliseconds(50), limit: Duration = .seconds(5)) {
        ceiling = first
        self.limit = limit
    }

    mutating func wait() async throws {
        try await Task.sleep(for: next())
    }

    mutating func next() -> Duration {
        let time = ceiling * Double.random(in: 0.5...1)
        ceiling = min(ceiling * 2, limit)
        return time
    }
}

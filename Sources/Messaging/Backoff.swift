/// Waits that double up to a limit, each with jitter so that many who failed together don't come back together.
struct Backoff {
    private var next: Duration
    private let limit: Duration

    init(first: Duration = .milliseconds(50), limit: Duration = .seconds(5)) {
        next = first
        self.limit = limit
    }

    mutating func wait() async throws {
        let ceiling = next
        next = min(next * 2, limit)
        try await Task.sleep(for: ceiling * Double.random(in: 0.5...1))
    }
}

import Synchronization

/// What this process may publish of an outbox right now, for whoever is about to hand events to the broker.
final class RelayStanding: Sendable {
    private struct State {
        var validUntil: ContinuousClock.Instant?
        var epochs: [Int16: UInt64] = [:]
        var left: [ShardProgress] = []
    }

    private let state = Mutex(State())

    func set(_ epochs: [Int16: UInt64], until validUntil: ContinuousClock.Instant) {
        state.withLock { $0 = State(validUntil: validUntil, epochs: epochs) }
    }

    /// Whether the lease on the shard is the one that it was, and has not run out.
    func allows(_ shard: Int16, _ epoch: UInt64) -> Bool {
        state.withLock { state in
            guard let validUntil = state.validUntil else { return false }
            return state.epochs[shard] == epoch && .now < validUntil
        }
    }

    /// Keeps what was done and not saved when the relay stopped.
    func leave(_ progress: [ShardProgress]) {
        state.withLock { $0 = State(left: progress) }
    }

    var left: [ShardProgress] { state.withLock { $0.left } }
}

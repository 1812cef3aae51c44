import Postgres
import Synchronization

/// A streaming replica, and how far it is known to have come.
final class Replica: Sendable {
    /// How far behind the primary a replica may be and still serve those who take any state.
    static let tolerance = Duration.seconds(5)

    let number: Int
    let server: String
    let settings: ConnectionSettings
    private let state = Mutex<State>(.unseen)

    enum State: Hashable, Sendable {
        /// → any other
        case unseen
        /// → any other but unseen
        case following(position: UInt64, lag: Duration)
        /// It takes writes itself: what it shows is no longer the primary's. → any other but unseen
        case promoted
        /// It belongs to another cluster than the primary. → any other but unseen
        case foreign
        /// → any other but unseen
        case away(reason: String)
    }

    init(number: Int, server: String, settings: ConnectionSettings) {
        self.number = number
        self.server = server
        self.settings = settings
    }

    var current: State { state.withLock { $0 } }

    /// Answers what it was before.
    func become(_ next: State) -> State {
        state.withLock { state in
            defer { state = next }
            return state
        }
    }

    /// A read has failed on it: nobody is sent there until it was seen alive again.
    func failed(_ error: PostgresError) {
        state.withLock { $0 = .away(reason: "\(error)") }
    }

    /// A read found it behind where it was thought to be, as after a restore.
    func isBehind() {
        state.withLock { state in
            if case .following(_, let lag) = state { state = .following(position: 0, lag: lag) }
        }
    }

    var keepsUp: Bool {
        guard case .following(_, let lag) = current else { return false }
        return lag <= Self.tolerance
    }

    func has(reached wanted: UInt64) -> Bool {
        guard case .following(let position, _) = current else { return false }
        return position >= wanted
    }
}

/// When the primary's log was where, to tell a replica's lag as time.
struct PrimaryHistory: Sendable {
    private var samples: [(at: ContinuousClock.Instant, position: UInt64)] = []
    private let limit = 512

    mutating func add(_ position: UInt64, at instant: ContinuousClock.Instant) {
        // After a failover the log can begin again before where it was.
        if let last = samples.last, position < last.position { samples = [] }
        if let last = samples.last, position == last.position {
            samples[samples.count - 1] = (instant, position)
        } else {
            samples.append((instant, position))
        }
        if samples.count > limit { samples.removeFirst(limit / 2) }
    }

    /// How long ago the primary was where the replica is now.
    func lag(of position: UInt64, at now: ContinuousClock.Instant) -> Duration {
        guard let last = samples.last, position < last.position else { return .zero }
        guard let reached = samples.last(where: { $0.position <= position }) else {
            return samples.first.map { $0.at.duration(to: now) } ?? .zero
        }
        return reached.at.duration(to: now)
    }
}

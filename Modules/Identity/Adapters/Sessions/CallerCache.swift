import Crypto
import Identity
import Kernel
import Synchronization
import Tenancy
import Web

/// SHA-256 of a bearer, so that no credential lies in memory for longer than a request.
struct BearerDigest: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    init(_ bearer: String) {
        var bearer = bearer
        let digest = bearer.withUTF8 { SHA256.hash(data: UnsafeRawBufferPointer($0)) }
        words = digest.withUnsafeBytes {
            $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self)
        }
    }

    static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    // The digest is as good as random: one word of it is a hash already.
    func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// Who recently used bearers stand for, for a moment: no longer than a suspension may take to reach every process.
final class CallerCache: Sendable {
    /// What a bearer was found to be.
    struct Finding: Sendable {
        let caller: Caller
        /// When the bearer itself ends, however often it is looked up.
        let expiresAt: Timestamp?
        /// What a token was verified to say, so that its signature is checked once.
        let grant: SessionGrant?
    }

    enum Lookup: Sendable {
        case hit(Caller)
        /// Look it up, and store what was found under the ticket.
        case miss(Ticket, SessionGrant?)
    }

    /// A look-up under way. What it finds is not remembered if something was forgotten meanwhile.
    struct Ticket: Sendable {
        fileprivate let generation: UInt64
        fileprivate let startedAt: ContinuousClock.Instant
    }

    private struct Entry {
        let finding: Finding
        var checkedAt: ContinuousClock.Instant
        var isBeingRefreshed = false
    }

    /// Two halves, so that dropping the older one bounds the whole at no cost for each use.
    private struct State {
        var recent: [BearerDigest: Entry] = [:]
        var older: [BearerDigest: Entry] = [:]
        var generation: UInt64 = 0
    }

    private let state = Mutex(State())
    private let capacity: Int
    /// After this long, one caller looks again while the others still use what there is.
    private let freshness: Duration
    /// After this long, everybody looks again.
    private let lifetime: Duration
    private let clock: WallClock
    private let instant: @Sendable () -> ContinuousClock.Instant

    init(
        capacity: Int = 20_000, freshness: Duration = .milliseconds(750), lifetime: Duration = .milliseconds(1500),
        clock: WallClock = .system, instant: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.capacity = capacity
        self.freshness = freshness
        self.lifetime = lifetime
        self.clock = clock
        self.instant = instant
    }

    func look(up digest: BearerDigest) -> Lookup {
        let (now, time) = (instant(), clock.now())
        return state.withLock { state in
            let ticket = Ticket(generation: state.generation, startedAt: now)
            guard var entry = state.recent[digest] ?? state.older[digest] else { return .miss(ticket, nil) }
            let finding = entry.finding
            if let expiresAt = finding.expiresAt, expiresAt <= time { return .miss(ticket, nil) }
            let age = now - entry.checkedAt
            guard age < lifetime else { return .miss(ticket, finding.grant) }
            guard age >= freshness, !entry.isBeingRefreshed else { return .hit(finding.caller) }
            entry.isBeingRefreshed = true
            keep(entry, for: digest, in: &state)
            return .miss(ticket, finding.grant)
        }
    }

    /// - Parameter finding: `nil` where the bearer stands for nobody (any more).
    func store(_ finding: Finding?, for digest: BearerDigest, under ticket: Ticket) {
        state.withLock { state in
            guard let finding, ticket.generation == state.generation else {
                state.recent[digest] = nil
                state.older[digest] = nil
                return
            }
            keep(Entry(finding: finding, checkedAt: ticket.startedAt), for: digest, in: &state)
        }
    }

    func forget(tenant: TenantID) {
        forget { $0.tenantID == tenant }
    }

    func forget(_ actor: Tenancy.Actor, of tenant: TenantID) {
        forget { $0.tenantID == tenant && $0.actor == actor }
    }

    var count: Int { state.withLock { $0.recent.count + $0.older.count } }

    /// Seldom, so that a pass over all entries is cheaper than an index that every look-up would have to keep.
    private func forget(_ isConcerned: (Caller) -> Bool) {
        state.withLock { state in
            state.generation += 1
            state.recent = state.recent.filter { !isConcerned($1.finding.caller) }
            state.older = state.older.filter { !isConcerned($1.finding.caller) }
        }
    }

    private func keep(_ entry: Entry, for digest: BearerDigest, in state: inout State) {
        if state.recent.count >= capacity / 2, state.recent[digest] == nil {
            state.older = state.recent
            state.recent = [:]
        }
        state.older[digest] = nil
        state.recent[digest] = entry
    }
}

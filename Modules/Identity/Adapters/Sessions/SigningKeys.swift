import Crypto
import Identity
import Kernel
import Synchronization

/// A key that signs session tokens from one moment until another.
struct SigningKey: Sendable {
    let id: SigningKeyID
    let privateKey: Curve25519.Signing.PrivateKey
    let signsFrom: Timestamp
    let signsUntil: Timestamp

    /// When the last token that it may have signed has expired.
    var verifiesUntil: Timestamp { signsUntil.advanced(by: SessionGrant.lifetime) }

    func signs(at now: Timestamp) -> Bool { signsFrom <= now && now < signsUntil }
}

/// Where signing keys are kept, for all processes together.
protocol SigningKeyStore: Sendable {
    /// The keys that still verify. Where none signs now, or the last one that does is about to stop, a new one is made
    /// first, by one process only.
    func load(at now: Timestamp) async throws -> [SigningKey]
}

/// The signing keys of the installation, remembered: signing and verifying ask the store only now and then.
final class SigningKeys<Store: SigningKeyStore>: SessionTokens {
    private struct State {
        var keys: [SigningKeyID: SigningKey] = [:]
        var loadedAt: Timestamp?
        /// Those who wait for the look that is under way, for a key not seen before.
        var waiters: [UInt64: CheckedContinuation<Void, any Error>]?
        var lastWaiter: UInt64 = 0
        var lastLoad: UInt64 = 0
        var newestLoad: UInt64 = 0
        var searchedAt: Timestamp?
    }

    private let state = Mutex(State())
    private let store: Store
    private let scope: TokenScope
    private let clock: WallClock

    init(store: Store, scope: TokenScope, clock: WallClock) {
        self.store = store
        self.scope = scope
        self.clock = clock
    }

    func sign(_ grant: SessionGrant) async throws -> String {
        let key = try await current(at: clock.now())
        return try SessionToken.sign(grant, in: scope, keyID: key.id, with: key.privateKey)
    }

    /// The grant of a token that one of our keys has signed, for us, and that is valid now.
    func verify(_ text: String) async throws -> SessionGrant? {
        let now = clock.now()
        guard let token = SessionToken(text), let key = try await key(token.keyID, at: now) else { return nil }
        return token.grant(signedBy: key.privateKey.publicKey, in: scope, at: now)
    }

    /// Every key that verifies now or will, oldest first.
    func published() async throws -> [SigningKey] {
        let now = clock.now()
        _ = try await current(at: now)
        return state.withLock { $0.keys.values.filter { now < $0.verifiesUntil } }
            .sorted { ($0.signsFrom, $0.id) < ($1.signsFrom, $1.id) }
    }

    private func current(at now: Timestamp) async throws -> SigningKey {
        if let key = remembered(at: now) { return key }
        try await load(at: now)
        guard let key = newest(at: now) else { throw NoSigningKey() }
        return key
    }

    /// Loads again now and then, so that the next key is known before it signs.
    private func remembered(at now: Timestamp) -> SigningKey? {
        let isFresh = state.withLock { $0.loadedAt.map { now < $0.advanced(by: .seconds(3600)) } ?? false }
        return isFresh ? newest(at: now) : nil
    }

    private func newest(at now: Timestamp) -> SigningKey? {
        state.withLock { state in
            state.keys.values.filter { $0.signs(at: now) }.max { ($0.signsFrom, $0.id) < ($1.signsFrom, $1.id) }
        }
    }

    /// A key this process has not seen may be another's new one, or it has just begun and has seen none.
    private func key(_ id: SigningKeyID, at now: Timestamp) async throws -> SigningKey? {
        if state.withLock({ $0.keys[id] }) == nil { try await search(at: now) }
        return state.withLock { $0.keys[id] }.flatMap { now < $0.verifiesUntil ? $0 : nil }
    }

    private enum Turn {
        case search
        case wait(UInt64)
        case none
    }

    /// Whoever comes while a look is under way waits for what it finds. Invented keys cause one a second at most, or one
    /// after another while it fails.
    private func search(at now: Timestamp) async throws {
        while true {
            let turn: Turn = state.withLock { state in
                if state.waiters != nil {
                    state.lastWaiter += 1
                    return .wait(state.lastWaiter)
                }
                if let last = state.searchedAt, now < last.advanced(by: .seconds(1)), last <= now { return .none }
                state.waiters = [:]
                return .search
            }
            switch turn {
            case .none: return
            case .wait(let waiter): try await wait(as: waiter)
            case .search:
                do {
                    try await load(at: now)
                    state.withLock { $0.searchedAt = now }
                    endSearch(.success(()))
                } catch {
                    // That one was given up says nothing about the store: another looks in its place.
                    endSearch(Task.isCancelled ? .success(()) : .failure(error))
                    throw error
                }
                return
            }
        }
    }

    private func endSearch(_ result: Result<Void, any Error>) {
        let waiters = state.withLock { state in
            defer { state.waiters = nil }
            return state.waiters ?? [:]
        }
        for waiter in waiters.values { waiter.resume(with: result) }
    }

    private func wait(as waiter: UInt64) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let isLate = state.withLock { state in
                    guard !Task.isCancelled, state.waiters != nil else { return true }
                    state.waiters?[waiter] = continuation
                    return false
                }
                // The look has ended in between: what it found is there, or one's own turn has come.
                if isLate { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters?.removeValue(forKey: waiter) }?.resume(throwing: CancellationError())
        }
        try Task.checkCancellation()
    }

    private func load(at now: Timestamp) async throws {
        let load = state.withLock { state in
            state.lastLoad += 1
            return state.lastLoad
        }
        let keys = try await store.load(at: now)
        state.withLock { state in
            // One that began earlier may end later, and knows less.
            guard load > state.newestLoad else { return }
            state.newestLoad = load
            state.keys = Dictionary(keys.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            state.loadedAt = now
        }
    }
}

/// The store made no key that could sign: its secret or its clock differs from this process's.
struct NoSigningKey: Error, CustomStringConvertible {
    var description: String { "no signing key is valid now; do all processes have the same secret and time?" }
}

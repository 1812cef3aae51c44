import Crypto
import Foundation
import Identity
import Kernel
import Synchronization
import Testing

@testable import IdentityAdapters

@Suite("Signing keys")
struct SigningKeysTests {
    private let scope = TokenScope(issuer: "https://atrium.test", audience: "atrium")

    @Test("are shared: what one process signs, another verifies")
    func shared() async throws {
        let store = StoreInMemory()
        let clock = SettableClock()
        let (one, other) = (ring(store, clock), ring(store, clock))
        let grant = sampleGrant(at: clock.now)
        let token = try await one.sign(grant)
        #expect(try await other.verify(token) == grant)
    }

    @Test("of another installation verify nothing here")
    func foreign() async throws {
        let clock = SettableClock()
        let token = try await ring(StoreInMemory(), clock).sign(sampleGrant(at: clock.now))
        #expect(try await ring(StoreInMemory(), clock).verify(token) == nil)
    }

    @Test("are asked of the store once, however much is signed and verified")
    func remembered() async throws {
        let store = StoreInMemory()
        let clock = SettableClock()
        let keys = ring(store, clock)
        for _ in 0..<10 { _ = try await keys.verify(keys.sign(sampleGrant(at: clock.now))) }
        #expect(store.loads.withLock { $0 } == 1)
    }

    @Test("that nobody has cost one look a second, not one a token")
    func unknownKeys() async throws {
        let store = StoreInMemory()
        let clock = SettableClock()
        let keys = ring(store, clock)
        _ = try await keys.sign(sampleGrant(at: clock.now))
        for _ in 0..<50 {
            let forged = try SessionToken.sign(
                sampleGrant(at: clock.now), in: scope, keyID: SigningKeyID(UUID()),
                with: Curve25519.Signing.PrivateKey())
            #expect(try await keys.verify(forged) == nil)
        }
        #expect(store.loads.withLock { $0 } == 2)
        clock.advance(.seconds(1))
        let token = try await ring(store, clock).sign(sampleGrant(at: clock.now))
        #expect(try await keys.verify(token) != nil)
    }

    @Test("are waited for by everybody who comes while they are being loaded")
    func firstUses() async throws {
        let store = StoreInMemory()
        let clock = SettableClock()
        let grant = sampleGrant(at: clock.now)
        let token = try await ring(store, clock).sign(grant)
        let begun = ring(store, clock)
        let (entries, entered) = AsyncStream<Void>.makeStream()
        let (exits, leave) = AsyncStream<Void>.makeStream()
        store.gate.withLock {
            $0 = {
                entered.yield()
                for await _ in exits {}
            }
        }
        let grants = try await withThrowingTaskGroup(of: SessionGrant?.self) { group in
            group.addTask { try await begun.verify(token) }
            for await _ in entries { break }
            // The first is at the store. Each of these comes as far as it can before the next line.
            for _ in 0..<4 { group.addImmediateTask { try await begun.verify(token) } }
            leave.finish()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(grants == Array(repeating: grant, count: 5))
        #expect(store.loads.withLock { $0 } == 2)
    }

    @Test("that can't be loaded are looked for again at once")
    func failure() async throws {
        let store = StoreInMemory()
        let clock = SettableClock()
        let grant = sampleGrant(at: clock.now)
        let token = try await ring(store, clock).sign(grant)
        let begun = ring(store, clock)
        store.failure.withLock { $0 = NoSigningKey() }
        await #expect(throws: NoSigningKey.self) { try await begun.verify(token) }
        store.failure.withLock { $0 = nil }
        #expect(try await begun.verify(token) == grant)
    }

    @Test("that another process made meanwhile are found")
    func newKeyOfAnother() async throws {
        let store = StoreInMemory()
        let clock = SettableClock()
        let keys = ring(store, clock)
        _ = try await keys.sign(sampleGrant(at: clock.now))
        store.add(from: clock.now, until: clock.now.advanced(by: .seconds(7200)))
        let token = try await ring(store, clock).sign(sampleGrant(at: clock.now))
        #expect(try await keys.verify(token) != nil)
    }

    @Test("verify for as long as the last token they signed, and no longer")
    func retirement() async throws {
        let store = StoreInMemory()
        let clock = SettableClock()
        let keys = ring(store, clock)
        let grant = sampleGrant(at: clock.now)
        let token = try await keys.sign(grant)
        store.keys.withLock { keys in
            keys = keys.map {
                SigningKey(
                    id: $0.id, privateKey: $0.privateKey, signsFrom: $0.signsFrom, signsUntil: clock.now)
            }
        }
        let late = ring(store, clock)
        #expect(try await late.verify(token) == grant)
        let retired = store.keys.withLock { $0[0] }
        clock.advance(.seconds(900))
        // Whoever has got hold of a retired key can't go on with it.
        let forged = try SessionToken.sign(
            sampleGrant(at: clock.now), in: scope, keyID: retired.id, with: retired.privateKey)
        #expect(try await late.verify(forged) == nil)
        #expect(try await late.published().map(\.id) != [retired.id])
    }

    @Test(
        "are followed by the next one a day ahead",
        arguments: [
            (29 * 86_400 - 1, nil), (29 * 86_400, 30 * 86_400), (30 * 86_400 - 1, 30 * 86_400),
            (30 * 86_400, 30 * 86_400 - 300),
            (31 * 86_400, 31 * 86_400 - 300),
        ] as [(Int, Int?)])
    func succession(elapsed: Int, expectedStart: Int?) {
        let key = SigningKey(
            id: SigningKeyID(UUID()), privateKey: Curve25519.Signing.PrivateKey(), signsFrom: noon,
            signsUntil: noon.advanced(by: PostgresSigningKeys.term))
        #expect(
            PostgresSigningKeys.start(ofNextAfter: [key], at: noon.advanced(by: .seconds(elapsed)))
                == expectedStart.map { noon.advanced(by: .seconds($0)) })
    }

    @Test("are made where there are none, and sign at once for a process whose clock is minutes behind")
    func first() throws {
        let start = try #require(PostgresSigningKeys.start(ofNextAfter: [], at: noon))
        let key = SigningKey(
            id: SigningKeyID(UUID()), privateKey: Curve25519.Signing.PrivateKey(), signsFrom: start,
            signsUntil: start.advanced(by: PostgresSigningKeys.term))
        #expect(key.signs(at: noon.advanced(by: .seconds(-300))))
        #expect(PostgresSigningKeys.start(ofNextAfter: [key], at: noon.advanced(by: .seconds(-300))) == nil)
    }

    private func ring(_ store: StoreInMemory, _ clock: SettableClock) -> SigningKeys<StoreInMemory> {
        SigningKeys(store: store, scope: scope, clock: clock.wall)
    }

    private func sampleGrant(at now: Timestamp) -> SessionGrant {
        SessionGrant(
            id: SessionID(UUID()), tenantID: TenantID(UUID()), userID: UserID(UUID()), role: .member, issuedAt: now,
            expiresAt: now.advanced(by: SessionGrant.lifetime))
    }
}

private final class StoreInMemory: SigningKeyStore {
    let keys = Mutex<[SigningKey]>([])
    let loads = Mutex(0)
    /// What a look waits for.
    let gate = Mutex<(@Sendable () async -> Void)?>(nil)
    let failure = Mutex<NoSigningKey?>(nil)

    func load(at now: Timestamp) async throws -> [SigningKey] {
        loads.withLock { $0 += 1 }
        await gate.withLock { $0 }?()
        if let failure = failure.withLock({ $0 }) { throw failure }
        if !keys.withLock({ $0.contains { $0.signs(at: now) } }) {
            add(from: now, until: now.advanced(by: .seconds(86_400)))
        }
        return keys.withLock { $0 }
    }

    func add(from: Timestamp, until: Timestamp) {
        let key = SigningKey(
            id: SigningKeyID(UUID()), privateKey: Curve25519.Signing.PrivateKey(), signsFrom: from, signsUntil: until)
        keys.withLock { $0.append(key) }
    }
}

/// A clock that stands still until it is told to go on.
final class SettableClock: Sendable {
    private let time = Mutex(noon)
    private let start = ContinuousClock.now

    var now: Timestamp { time.withLock { $0 } }
    var wall: WallClock { WallClock { self.now } }
    /// The same clock, as the other kind of clock.
    var instant: ContinuousClock.Instant { start + now.duration(since: noon) }

    func advance(_ duration: Duration) {
        time.withLock { $0 = $0.advanced(by: duration) }
    }
}

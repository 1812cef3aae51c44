import Foundation
import Identity
import Kernel
import Tenancy
import Testing
import Web

@testable import IdentityAdapters

@Suite("The memory of callers")
struct CallerCacheTests {
    private let clock = SettableClock()
    private let tenant = TenantID(UUID())

    @Test("knows a bearer for less than two seconds")
    func lifetime() {
        let cache = cache()
        remember("key", in: cache)
        #expect(isHit("key", in: cache))
        clock.advance(.milliseconds(1500))
        #expect(!isHit("key", in: cache))
    }

    @Test("counts from when the look-up began, not from when it ended")
    func slowLookUp() {
        let cache = cache()
        guard case .miss(let ticket, _) = cache.look(up: BearerDigest("key")) else { return #expect(Bool(false)) }
        clock.advance(.milliseconds(1400))
        cache.store(finding(), for: BearerDigest("key"), under: ticket)
        clock.advance(.milliseconds(200))
        #expect(!isHit("key", in: cache))
    }

    @Test("lets one caller look again while the others go on")
    func refresh() {
        let cache = cache()
        remember("key", in: cache)
        clock.advance(.milliseconds(800))
        #expect(!isHit("key", in: cache))
        #expect(isHit("key", in: cache))
        #expect(isHit("key", in: cache))
    }

    @Test("forgets a bearer that stands for nobody any more")
    func revoked() {
        let cache = cache()
        remember("key", in: cache)
        clock.advance(.milliseconds(800))
        guard case .miss(let ticket, _) = cache.look(up: BearerDigest("key")) else { return #expect(Bool(false)) }
        cache.store(nil, for: BearerDigest("key"), under: ticket)
        #expect(!isHit("key", in: cache))
    }

    @Test("does not outlive the bearer itself")
    func expiry() {
        let cache = cache()
        remember("key", in: cache, expiresAt: noon.advanced(by: .milliseconds(500)))
        clock.advance(.milliseconds(499))
        #expect(isHit("key", in: cache))
        clock.advance(.milliseconds(1))
        #expect(!isHit("key", in: cache))
    }

    @Test("forgets a tenant's callers at once, and nobody else's")
    func suspension() {
        let cache = cache()
        let other = TenantID(UUID())
        remember("ours", in: cache)
        remember("theirs", in: cache, tenant: other)
        cache.forget(tenant: tenant)
        #expect(!isHit("ours", in: cache))
        #expect(isHit("theirs", in: cache))
    }

    @Test("forgets one actor and leaves the tenant's others")
    func revocation() {
        let cache = cache()
        let (gone, kept) = (UUID(), UUID())
        remember("gone", in: cache, actor: .apiKey(gone))
        remember("kept", in: cache, actor: .apiKey(kept))
        cache.forget(.apiKey(gone), of: tenant)
        #expect(!isHit("gone", in: cache))
        #expect(isHit("kept", in: cache))
    }

    @Test("does not remember what was looked up while something was forgotten")
    func raceWithSuspension() {
        let cache = cache()
        guard case .miss(let ticket, _) = cache.look(up: BearerDigest("key")) else { return #expect(Bool(false)) }
        cache.forget(tenant: tenant)
        cache.store(finding(), for: BearerDigest("key"), under: ticket)
        #expect(!isHit("key", in: cache))
    }

    @Test("stays within its bound, whatever comes, and keeps what was used last")
    func bound() {
        let cache = cache(capacity: 100)
        for number in 0..<10_000 { remember("key \(number)", in: cache) }
        #expect(cache.count <= 100)
        #expect(isHit("key 9999", in: cache))
    }

    @Test("keeps a token's grant beyond its freshness, so that its signature is checked once")
    func grantIsKept() {
        let cache = cache()
        let grant = SessionGrant(
            id: SessionID(UUID()), tenantID: tenant, userID: UserID(UUID()), role: .member, issuedAt: noon,
            expiresAt: noon.advanced(by: .seconds(900)))
        guard case .miss(let ticket, nil) = cache.look(up: BearerDigest("token")) else { return #expect(Bool(false)) }
        cache.store(
            CallerCache.Finding(caller: finding().caller, expiresAt: grant.expiresAt, grant: grant),
            for: BearerDigest("token"), under: ticket)
        clock.advance(.seconds(10))
        guard case .miss(_, let known) = cache.look(up: BearerDigest("token")) else { return #expect(Bool(false)) }
        #expect(known == grant)
    }

    private func cache(capacity: Int = 1000) -> CallerCache {
        CallerCache(capacity: capacity, clock: clock.wall, instant: { [clock] in clock.instant })
    }

    private func finding(
        tenant: TenantID? = nil, actor: Tenancy.Actor = .apiKey(UUID()), expiresAt: Timestamp? = nil
    ) -> CallerCache.Finding {
        CallerCache.Finding(
            caller: Caller(
                tenantID: tenant ?? self.tenant, tenantSlug: "acme", isSuspended: false, actor: actor, mayWrite: true),
            expiresAt: expiresAt, grant: nil)
    }

    private func remember(
        _ bearer: String, in cache: CallerCache, tenant: TenantID? = nil, actor: Tenancy.Actor = .apiKey(UUID()),
        expiresAt: Timestamp? = nil
    ) {
        guard case .miss(let ticket, _) = cache.look(up: BearerDigest(bearer)) else { return }
        cache.store(
            finding(tenant: tenant, actor: actor, expiresAt: expiresAt), for: BearerDigest(bearer), under: ticket)
    }

    private func isHit(_ bearer: String, in cache: CallerCache) -> Bool {
        if case .hit = cache.look(up: BearerDigest(bearer)) { true } else { false }
    }
}

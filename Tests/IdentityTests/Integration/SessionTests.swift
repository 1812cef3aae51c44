import Crypto
import Foundation
import Identity
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@testable import IdentityAdapters

@Suite("A session over HTTP")
struct SessionTests {
    @Test("lets its user in until it ends")
    func session() async throws {
        let clock = SettableClock()
        try await IdentityWorld.with(clock: clock.wall) { world in
            _ = try await world.tenant("acme")
            let login = try await world.logIn("acme")
            #expect(login.status == 200, "\(login)")
            #expect(login["tokenType"] == "Bearer")
            #expect(login["expiresAt"] == "2026-03-02T12:15:00Z")
            let token = try #require(login["accessToken"]?.string)
            let me = try await world.http.authorized(token).get("/api/v1/me")
            #expect(try me.json()["user"]?["email"] == "ada@acme.example")
            #expect(try me.json()["tenant"]?["slug"] == "acme")
            #expect(!me.text.contains("argon2"))
            clock.advance(.seconds(900))
            #expect(try await world.http.authorized(token).get("/api/v1/me").status == 401)
        }
    }

    @Test("is refused in one way, whatever is wrong")
    func refusals() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            _ = try await world.register("globex", email: "eve@globex.example")
            let password = IdentityWorld.password
            let replies = [
                try await world.logIn("acme", password: "wrong password"),
                try await world.logIn("acme", password: ""),
                try await world.logIn("acme", email: "nobody@acme.example"),
                try await world.logIn("acme", email: "no address"),
                try await world.logIn("acme", email: "eve@globex.example", password: password),
                try await world.logIn("nobody"),
                try await world.logIn("No Slug!"),
                try await world.logIn("", email: "", password: ""),
                try await world.logIn("acme", email: String(repeating: "a", count: 900)),
                try await world.logIn("acme", password: String(repeating: "x", count: 4000)),
            ]
            for reply in replies {
                #expect(reply.status == 401, "\(reply)")
                #expect(reply.problem == "login-refused")
                #expect(reply.bodyWithoutRequest == replies[0].bodyWithoutRequest)
                #expect(reply.headers["WWW-Authenticate"] == replies[0].headers["WWW-Authenticate"])
                #expect(reply.headers["Content-Length"] == replies[0].headers["Content-Length"])
            }
        }
    }

    @Test("is not opened for a disabled user, and ends for one who is disabled")
    func disabled() async throws {
        try await IdentityWorld.with { world in
            let tenant = try await world.tenant("acme")
            let token = try await world.token(of: "acme")
            let me = try await world.http.authorized(token).get("/api/v1/me")
            let id = try #require(UserID(me.json()["user"]?["id"]?.string ?? ""))
            let users = PostgresUserRepository(
                dataPlane: world.plane.dataPlane, callers: world.module.authenticator.callers, logger: .silent)
            _ = try await users.update(id, of: tenant.id) { $0.disable(at: noon) }
            #expect(try await world.http.authorized(token).get("/api/v1/me").status == 401)
            let login = try await world.logIn("acme")
            #expect(login.status == 401)
            #expect(login.bodyWithoutRequest == (try await world.logIn("nobody")).bodyWithoutRequest)
        }
    }

    @Test("survives a user who is changed by two at once: neither change is lost or refused")
    func parallelChanges() async throws {
        try await IdentityWorld.with { world in
            let tenant = try await world.tenant("acme")
            let id = try await world.plane.asSuperuser("SELECT user_id FROM identity.users").first?.decode(UserID.self)
            let userID = try #require(id)
            let users = PostgresUserRepository(
                dataPlane: world.plane.dataPlane, callers: world.module.authenticator.callers, logger: .silent)
            for _ in 0..<20 {
                async let one = users.update(userID, of: tenant.id) {
                    $0.rehash(as: PasswordHash("$argon2id$one"), at: noon)
                }
                async let other = users.update(userID, of: tenant.id) {
                    $0.rehash(as: PasswordHash("$argon2id$other"), at: noon)
                }
                _ = try await (one, other)
            }
            #expect(try await world.count("SELECT version FROM identity.users") == 41)
        }
    }

    @Test("ends when its user's role is another, within two seconds")
    func roleChange() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            let token = try await world.token(of: "acme")
            #expect(try await world.http.authorized(token).get("/api/v1/me").status == 200)
            try await world.plane.asSuperuser("UPDATE identity.users SET role = 'member'")
            try await Waiting.until("the token is refused", within: .seconds(2)) {
                try await world.http.authorized(token).get("/api/v1/me").status == 401
            }
        }
    }

    @Test("can be checked by anybody with the published keys")
    func publishedKeys() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            let token = try await world.token(of: "acme")
            let parts = token.split(separator: ".")
            let header = try JSON.parse(try #require(Base64URL.decode(parts[0].utf8)))
            let set = try await world.http.get("/.well-known/jwks.json").json()
            let keys = try #require(set["keys"]?.array)
            #expect(keys.count == 1)
            #expect(keys[0]["kid"]?.string == header["kid"]?.string)
            #expect(keys[0]["kty"] == "OKP" && keys[0]["crv"] == "Ed25519" && keys[0]["alg"] == "EdDSA")
            #expect(keys[0]["d"] == nil)
            let raw = try #require(Base64URL.decode((keys[0]["x"]?.string ?? "").utf8))
            let signature = try #require(Base64URL.decode(parts[2].utf8))
            #expect(
                try Curve25519.Signing.PublicKey(rawRepresentation: raw).isValidSignature(
                    signature, for: Array("\(parts[0]).\(parts[1])".utf8)))
        }
    }

    @Test("opened in one process is good in another, and the key that signs is made once")
    func processes() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            try await world.besides { other in
                async let here = world.token(of: "acme")
                async let there = other.token(of: "acme")
                let (one, two) = try await (here, there)
                #expect(try await other.http.authorized(one).get("/api/v1/me").status == 200)
                #expect(try await world.http.authorized(two).get("/api/v1/me").status == 200)
                #expect(try await world.count("SELECT count(*) FROM control.signing_keys") == 1)
            }
        }
    }

    @Test("of another installation is refused, though it name the same tenant and user")
    func foreignInstallation() async throws {
        try await IdentityWorld.with { world in
            let tenant = try await world.tenant("acme")
            let own = try await world.token(of: "acme")
            let grant = SessionGrant(
                id: SessionID(UUID()), tenantID: tenant.id, userID: UserID(UUID()), role: .administrator,
                issuedAt: WallClock.system.now(), expiresAt: WallClock.system.now().advanced(by: .seconds(600)))
            let keyID = try #require(SessionToken(own)).keyID
            let forged = try SessionToken.sign(
                grant, in: TokenScope(issuer: "https://atrium.test", audience: "atrium"), keyID: keyID,
                with: Curve25519.Signing.PrivateKey())
            #expect(try await world.http.authorized(forged).get("/api/v1/me").status == 401)
        }
    }

    @Test("of one tenant opens nothing of another, whatever the headers say")
    func otherTenant() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            let globex = try await world.tenant("globex")
            let caller = world.http.authorized(try await world.token(of: "acme"))
            let mismatch = try await caller.get("/api/v1/me", headers: ["X-Tenant-Id": globex.id.description])
            #expect(mismatch.status == 403)
            #expect(mismatch.problem == "tenant-mismatch")
            #expect(try await caller.get("/api/v1/me", headers: ["X-Tenant-Id": "acme"]).status == 200)
        }
    }

    @Test("is kept for a password under old parameters, which is hashed anew", arguments: [1, 4])
    func rehash(parallel: Int) async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            let old = try Argon2id.hash(IdentityWorld.password, .init(passes: 1, memoryBytes: 1 << 20))
            try await world.plane.asSuperuser("UPDATE identity.users SET password_hash = \(old)")
            let replies = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<parallel { group.addTask { try await world.logIn("acme").status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(replies == Array(repeating: 200, count: parallel))
            let hash = try await world.plane.asSuperuser("SELECT password_hash FROM identity.users")
            #expect(try hash.first?.decode(String.self).hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$") == true)
            #expect(try await world.logIn("acme").status == 200)
        }
    }
}

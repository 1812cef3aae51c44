import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@testable import IdentityAdapters

@Suite("API keys over HTTP")
struct APIKeyTests {
    @Test("are made by an administrator, shown once, and work at once")
    func creation() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            let token = try await world.token(of: "acme")
            let reply = try await world.createKey(as: token, idempotencyKey: "k-1")
            #expect(reply.status == 201, "\(reply)")
            let key = try #require(reply["key"]?.string)
            #expect(try await world.http.authorized(key).get("/api/v1/me").status == 200)

            let again = try await world.createKey(as: token, idempotencyKey: "k-1")
            #expect(again.status == 201)
            #expect(again.headers["Idempotency-Replayed"] == "true")
            #expect(again["key"] == JSONValue.null)
            #expect(again["id"] == reply["id"])
            #expect(try await world.createKey(as: token, permission: "read", idempotencyKey: "k-1").status == 422)
            #expect(try await world.count("SELECT count(*) FROM identity.api_keys") == 2)
            let kept = try await world.plane.asSuperuser("SELECT r::text FROM identity.receipts r")
            #expect(try kept.allSatisfy { !(try $0.decode(String.self)).contains(String(key.suffix(64))) })
        }
    }

    @Test("make, list and revoke no keys")
    func noEscalation() async throws {
        try await IdentityWorld.with { world in
            let tenant = try await world.tenant("acme")
            let id = tenant.key.split(separator: "_")[2]
            for reply in [
                try await world.createKey(as: tenant.key),
                try await world.http.authorized(tenant.key).get("/api/v1/api-keys"),
                try await world.http.authorized(tenant.key).delete("/api/v1/api-keys/\(dashed(id))"),
            ] {
                #expect(reply.status == 403, "\(reply)")
                #expect(reply.problem == "administrators-only")
            }
        }
    }

    @Test("with permission to read may not write")
    func readOnly() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            let reply = try await world.createKey(as: try await world.token(of: "acme"), permission: "read")
            let key = try #require(reply["key"]?.string)
            #expect(try await world.http.authorized(key).get("/api/v1/me").status == 200)
            let write = try await world.createKey(as: key)
            #expect(write.status == 403)
            #expect(write.problem == "forbidden", "\(write)")
        }
    }

    @Test("that are revoked open nothing any more, at once")
    func revocation() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            let admin = world.http.authorized(try await world.token(of: "acme"))
            let made = try await world.createKey(as: try await world.token(of: "acme"))
            let (id, key) = (try #require(made["id"]?.string), try #require(made["key"]?.string))
            #expect(try await world.http.authorized(key).get("/api/v1/me").status == 200)
            #expect(try await admin.delete("/api/v1/api-keys/\(id)").status == 204)
            #expect(try await world.http.authorized(key).get("/api/v1/me").status == 401)
            #expect(try await admin.delete("/api/v1/api-keys/\(id)").status == 204)
            #expect(try await admin.delete("/api/v1/api-keys/\(UUID())").status == 404)
        }
    }

    @Test("end at their expiry, even while they are remembered")
    func expiry() async throws {
        let clock = SettableClock()
        try await IdentityWorld.with(clock: clock.wall) { world in
            _ = try await world.tenant("acme")
            let token = try await world.token(of: "acme")
            #expect(try await world.createKey(as: token, expiresAt: "2026-03-02T12:00:00Z").status == 422)
            let reply = try await world.createKey(as: token, expiresAt: "2026-03-02T12:10:00Z")
            let key = try #require(reply["key"]?.string)
            #expect(try await world.http.authorized(key).get("/api/v1/me").status == 200)
            clock.advance(.seconds(600))
            #expect(try await world.http.authorized(key).get("/api/v1/me").status == 401)
        }
    }

    @Test("are listed newest first, page by page, without their texts")
    func list() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            let token = try await world.token(of: "acme")
            var made: [String] = []
            for _ in 0..<3 { made.append(try #require(try await world.createKey(as: token)["id"]?.string)) }
            let admin = world.http.authorized(token)
            let first = try await admin.get("/api/v1/api-keys?limit=2").json()
            #expect(first["items"]?.array?.compactMap { $0["id"]?.string } == [made[2], made[1]])
            let cursor = try #require(first["nextCursor"]?.string)
            let second = try await admin.get("/api/v1/api-keys?limit=2&cursor=\(cursor)").json()
            #expect(second["items"]?.array?.count == 2)
            #expect(second["items"]?[0]?["id"]?.string == made[0])
            #expect(second["items"]?[1]?["createdBy"] == "operator")
            #expect(second["nextCursor"] == .null)
            #expect(first["items"]?[0]?["key"] == nil && first["items"]?[0]?["digest"] == nil)
        }
    }

    @Test("of another tenant can't be seen or revoked")
    func otherTenant() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            let globex = try await world.tenant("globex")
            let id = dashed(globex.key.split(separator: "_")[2])
            let admin = world.http.authorized(try await world.token(of: "acme"))
            let foreign = try await admin.delete("/api/v1/api-keys/\(id)")
            let absent = try await admin.delete("/api/v1/api-keys/\(UUID())")
            #expect(foreign.status == 404)
            #expect(foreign.bodyWithoutRequest == absent.bodyWithoutRequest)
            #expect(try await world.http.authorized(globex.key).get("/api/v1/me").status == 200)
        }
    }

    @Test("that were guessed, changed or put together from others open nothing")
    func forgeries() async throws {
        try await IdentityWorld.with { world in
            let acme = try await world.tenant("acme").key.split(separator: "_")
            let globex = try await world.tenant("globex").key.split(separator: "_")
            let forged = [
                "atk_\(globex[1])_\(acme[2])_\(acme[3])", "atk_\(acme[1])_\(globex[2])_\(acme[3])",
                "atk_\(acme[1])_\(acme[2])_\(globex[3])",
                "atk_\(acme[1])_\(acme[2])_\(String(repeating: "0", count: 64))",
                "atk_\(acme[1])_\(acme[2])", "atk_", "atk_\(acme[1])_\(acme[2])_\(acme[3])0",
                "ATK_\(acme[1])_\(acme[2])_\(acme[3])", "atk_\(acme[1])_\(acme[2])_\(acme[3].uppercased())",
                "x", String(repeating: "a", count: 10_000),
            ]
            for bearer in forged {
                #expect(
                    try await world.http.authorized(bearer).get("/api/v1/me").status == 401, "\(bearer.prefix(150))")
            }
        }
    }

    @Test("cost the database nothing while they are remembered")
    func noRoundTrip() async throws {
        try await IdentityWorld.with { world in
            let tenant = try await world.tenant("acme")
            let authenticator = world.module.authenticator
            #expect(try await authenticator.authenticate(bearer: tenant.key) != nil)
            let before = try world.plane.pool.statistics.acquisitions
            for _ in 0..<1000 { #expect(try await authenticator.authenticate(bearer: tenant.key) != nil) }
            #expect(try world.plane.pool.statistics.acquisitions - before <= 2)
        }
    }
}

private func dashed(_ hex: Substring) -> String {
    var text = String(hex)
    for offset in [20, 16, 12, 8] { text.insert("-", at: text.index(text.startIndex, offsetBy: offset)) }
    return text
}

import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@Suite("Registering a tenant")
struct RegistrationTests {
    @Test("opens it with an administrator who can log in and a key that works at once")
    func registration() async throws {
        try await IdentityWorld.with { world in
            let reply = try await world.register("acme")
            #expect(reply.status == 201, "\(reply)")
            #expect(reply.headers["ETag"] == "\"2\"")
            #expect(reply.headers["Location"] == "/api/v1/tenants/acme")
            let json = try reply.json()
            #expect(json["tenant"]?["state"] == "active")
            #expect(json["tenant"]?["sku"] == "growth")
            #expect(json["administrator"]?["role"] == "administrator")
            let key = try #require(json["apiKey"]?["key"]?.string)
            let me = try await world.http.authorized(key).get("/api/v1/me")
            #expect(me.status == 200, "\(me)")
            #expect(try me.json()["tenant"]?["slug"] == "acme")
            #expect(try me.json()["apiKey"]?["permission"] == "write")
            #expect(try await world.logIn("acme").status == 200)
        }
    }

    @Test("tells others, once, in the same transaction")
    func event() async throws {
        try await IdentityWorld.with { world in
            let tenant = try await world.tenant("acme")
            let rows = try await world.plane.asSuperuser(
                "SELECT topic, type, tenant_id, aggregate_id, aggregate_version, payload FROM control.outbox")
            #expect(rows.count == 1)
            let (topic, type, tenantID, aggregateID, version, payload) = try #require(rows.first).decode(
                (String, String, TenantID, TenantID, Int64, String).self)
            #expect(topic == "identity.tenant")
            #expect(type == "identity.tenant.registered.v1")
            #expect(tenantID == tenant.id && aggregateID == tenant.id)
            #expect(version == 2)
            let json = try JSONValue(parsing: payload)
            #expect(json["slug"] == "acme")
            #expect(json["region"] == "eu-central")
            #expect(json.object?.keys.sorted() == ["name", "region", "registeredAt", "sku", "slug", "tenantId"])
        }
    }

    @Test("keeps neither the password nor the key, in no table and no form")
    func secretsAreNotKept() async throws {
        try await IdentityWorld.with { world in
            let tenant = try await world.tenant("acme")
            let secret = String(tenant.key.suffix(64))
            let tables = try await world.plane.asSuperuser(
                "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('identity', 'control')"
            ).map { try $0.decode(String.self) }
            #expect(tables.count >= 20)
            for table in tables {
                let rows = try await world.plane.asSuperuser("SELECT t::text FROM \(unsafeSQL: table) t")
                for row in rows {
                    let text = try row.decode(String.self)
                    #expect(!text.contains(secret), "\(table)")
                    #expect(!text.contains(hex(secret)), "\(table)")
                    #expect(!text.contains(IdentityWorld.password), "\(table)")
                    #expect(!text.contains(hex(IdentityWorld.password)), "\(table)")
                }
            }
        }
    }

    @Test("a repeated request gets the same answer, without the key, and registers nothing")
    func replay() async throws {
        try await IdentityWorld.with { world in
            let first = try await world.register("acme", key: "k-1")
            let second = try await world.register("acme", key: "k-1")
            #expect(second.status == 201, "\(second)")
            #expect(second.headers["Idempotency-Replayed"] == "true")
            #expect(second.headers["ETag"] == first.headers["ETag"])
            #expect(second.headers["Location"] == first.headers["Location"])
            #expect(try second.json()["tenant"] == first.json()["tenant"])
            #expect(try first.json()["apiKey"]?["key"]?.string != nil)
            #expect(try second.json()["apiKey"]?["key"] == JSONValue.null)
            #expect(try second.json()["apiKey"]?["id"] == first.json()["apiKey"]?["id"])
            #expect(try await world.count("SELECT count(*) FROM control.tenants") == 1)
            #expect(try await world.count("SELECT count(*) FROM control.outbox") == 1)
        }
    }

    @Test("a key that was used for another request is refused, though it differ in the password alone")
    func reusedKey() async throws {
        try await IdentityWorld.with { world in
            #expect(try await world.register("acme", key: "k-1").status == 201)
            for reply in [
                try await world.register("globex", key: "k-1"),
                try await world.register("acme", key: "k-1", password: "another password"),
            ] {
                #expect(reply.status == 422, "\(reply)")
                #expect(reply.problem == "idempotency-key-reused")
            }
            #expect(try await world.count("SELECT count(*) FROM control.tenants") == 1)
        }
    }

    @Test("the database alone can't be used to try passwords against the receipt")
    func fingerprintIsSealed() async throws {
        try await IdentityWorld.with { world in
            let one = try await world.register("acme", key: "k-1")
            #expect(one.status == 201)
            let sealed = try await world.plane.asSuperuser("SELECT sealed_fingerprint FROM control.operator_receipts")
            #expect(try sealed.first?.decode([UInt8].self).count == 12 + 32 + 16)
            // Another secret can't read it, so that the key counts as used for something else.
            try await world.besides(secret: Array("another secret, as long as the one".utf8)) { other in
                let reply = try await other.register("acme", key: "k-1")
                #expect(reply.problem == "idempotency-key-reused", "\(reply)")
            }
        }
    }

    @Test("a key at once in ten requests registers one tenant")
    func parallelReplay() async throws {
        try await IdentityWorld.with { world in
            let replies = try await withThrowingTaskGroup(of: HTTPReply.self) { group in
                for _ in 0..<10 { group.addTask { try await world.register("acme", key: "k-1") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(replies.map(\.status) == Array(repeating: 201, count: 10))
            #expect(replies.count { $0.headers["Idempotency-Replayed"] == nil } == 1)
            #expect(Set(try replies.map { try $0.json()["tenant"]?["id"]?.string }).count == 1)
            #expect(try await world.count("SELECT count(*) FROM control.tenants") == 1)
            #expect(try await world.count("SELECT count(*) FROM identity.api_keys") == 1)
        }
    }

    @Test("two at once with one slug: one is registered, the other is told")
    func slugRace() async throws {
        try await IdentityWorld.with { world in
            let replies = try await withThrowingTaskGroup(of: HTTPReply.self) { group in
                for _ in 0..<2 { group.addTask { try await world.register("acme") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(replies.map(\.status).sorted() == [201, 409])
            #expect(replies.first { $0.status == 409 }?.problem == "slug-taken")
            for table in [
                "control.tenants", "control.placements", "control.outbox", "control.operator_receipts",
                "control.routing_decisions", "identity.users", "identity.api_keys",
            ] {
                #expect(try await world.count("SELECT count(*) FROM \(unsafeSQL: table)") == 1, "\(table)")
            }
        }
    }

    @Test("a body that breaks a rule is refused with each mistake and where it is")
    func badBodies() async throws {
        try await IdentityWorld.with { world in
            let reply = try await world.asOperator.post(
                "/api/v1/tenants",
                json: [
                    "slug": "admin", "name": " Acme", "sku": "Gold", "region": "the moon", "plan": "x",
                    "administrator": ["email": "ada", "name": "Ada\nLovelace", "password": "short"],
                ], headers: ["Idempotency-Key": "k"])
            #expect(reply.status == 422, "\(reply)")
            let errors = try reply.json()["errors"]?.array ?? []
            let byPointer = Dictionary(
                errors.map { ($0["pointer"]?.string ?? "", $0["detail"]?.string ?? "") }, uniquingKeysWith: { $1 })
            #expect(
                byPointer.keys.sorted() == [
                    "#/administrator/email", "#/administrator/name", "#/administrator/password", "#/name", "#/plan",
                    "#/region", "#/sku", "#/slug",
                ])
            #expect(byPointer["#/sku"] == "must begin with a letter and hold 1 to 40 of a-z, 0-9 and hyphens")
            #expect(byPointer["#/slug"] == "must not be a reserved word or look like one; 'admin' does")
            #expect(!reply.text.contains("short\""))
        }
    }

    @Test("a SKU that is not sold or a region that is not open is refused with those that are, and reserves nothing")
    func notOnSale() async throws {
        try await IdentityWorld.with { world in
            let unknown = try await world.register("acme", sku: "gold")
            #expect(unknown.status == 422 && unknown.problem == "not-on-sale", "\(unknown)")
            #expect(unknown["detail"]?.string?.contains("enterprise, growth, scale, starter") == true)
            var body = IdentityWorld.registration("acme")
            if case .object(var members) = body {
                members["region"] = "moon"
                body = .object(members)
            }
            let nowhere = try await world.asOperator.post(
                "/api/v1/tenants", json: body, headers: ["Idempotency-Key": "k"])
            #expect(nowhere.status == 422 && nowhere.problem == "not-on-sale", "\(nowhere)")
            #expect(try await world.count("SELECT count(*) FROM control.tenants") == 0)
        }
    }

    @Test("a slug that looks like one in use is refused")
    func lookAlike() async throws {
        try await IdentityWorld.with { world in
            #expect(try await world.register("modern").status == 201)
            let reply = try await world.register("rnodern")
            #expect(reply.status == 409 && reply.problem == "slug-too-alike", "\(reply)")
        }
    }

    @Test("is the operator's alone")
    func operatorOnly() async throws {
        try await IdentityWorld.with { world in
            let tenant = try await world.tenant("acme")
            for bearer in [tenant.key, try await world.token(of: "acme"), "wrong", IdentityWorld.operatorKey + "x"] {
                let reply = try await world.http.authorized(bearer).post(
                    "/api/v1/tenants", json: IdentityWorld.registration("globex"), headers: ["Idempotency-Key": "k"])
                #expect(reply.status == 401, "\(reply)")
            }
            #expect(try await world.count("SELECT count(*) FROM control.tenants") == 1)
        }
    }
}

/// As PostgreSQL writes bytes.
private func hex(_ text: String) -> String {
    text.utf8.map { String(format: "%02x", $0) }.joined()
}

import Foundation
import IdentityAdapters
import Kernel
import Postgres
import TestSupport
import Testing
import Web

@Suite("A tenant over HTTP")
struct TenantStateTests {
    @Test("shows itself to the operator and to its own callers, and to nobody else")
    func show() async throws {
        try await IdentityWorld.with { world in
            let acme = try await world.tenant("acme")
            let globex = try await world.tenant("globex")
            for caller in [
                world.asOperator, world.http.authorized(acme.key),
                world.http.authorized(try await world.token(of: "acme")),
            ] {
                let reply = try await caller.get("/api/v1/tenants/acme")
                #expect(reply.status == 200, "\(reply)")
                #expect(reply.headers["ETag"] == "\"2\"")
                #expect(reply["id"]?.string == acme.id.description)
            }
            let foreign = try await world.http.authorized(globex.key).get("/api/v1/tenants/acme")
            let absent = try await world.http.authorized(globex.key).get("/api/v1/tenants/nobody")
            #expect(foreign.status == 404)
            #expect(foreign.bodyWithoutRequest == absent.bodyWithoutRequest)
            #expect(try await world.asOperator.get("/api/v1/tenants/nobody").status == 404)
            #expect(try await world.http.get("/api/v1/tenants/acme").status == 401)
        }
    }

    @Test("that is suspended may read and not write, at once in the process that suspended it")
    func suspension() async throws {
        try await IdentityWorld.with { world in
            let tenant = try await world.tenant("acme")
            let token = try await world.token(of: "acme")
            #expect(try await world.createKey(as: token).status == 201)
            let suspended = try await world.suspend("acme", version: 2)
            #expect(suspended.status == 200, "\(suspended)")
            #expect(suspended["state"] == "suspended")
            #expect(suspended["suspensionReason"] == "Invoice is overdue")
            #expect(suspended.headers["ETag"] == "\"3\"")

            let write = try await world.createKey(as: token)
            #expect(write.status == 403)
            #expect(write.problem == "tenant-suspended")
            #expect(try await world.http.authorized(token).get("/api/v1/me").status == 200)
            #expect(try await world.http.authorized(tenant.key).get("/api/v1/tenants/acme")["state"] == "suspended")
            #expect(try await world.logIn("acme").status == 200)

            #expect(try await world.reactivate("acme", version: 3)["state"] == "active")
            #expect(try await world.createKey(as: token).status == 201)
        }
    }

    @Test("that is suspended stops writing in every other process within two seconds")
    func suspensionElsewhere() async throws {
        try await IdentityWorld.with { world in
            let tenant = try await world.tenant("acme")
            try await world.besides { other in
                #expect(try await other.module.authenticator.authenticate(bearer: tenant.key)?.isSuspended == false)
                _ = try await world.suspend("acme", version: 2)
                try await Waiting.until("the other process knows", within: .seconds(2)) {
                    try await other.module.authenticator.authenticate(bearer: tenant.key)?.isSuspended == true
                }
            }
        }
    }

    @Test("is changed only by who has seen it as it is")
    func versions() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            let missing = try await world.asOperator.post("/api/v1/tenants/acme/suspend", json: ["reason": "x"])
            #expect(missing.status == 428)
            #expect(try await world.suspend("acme", version: 1).status == 412)
            #expect(try await world.suspend("nobody", version: 1).status == 404)
            #expect(try await world.reactivate("acme", version: 2).problem == "illegal-tenant-move")
            #expect(try await world.suspend("acme", version: 2).status == 200)
            #expect(try await world.suspend("acme", version: 3).status == 409)
        }
    }

    @Test("suspended by two operators at once is suspended once")
    func parallelSuspension() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            let replies = try await withThrowingTaskGroup(of: HTTPReply.self) { group in
                for _ in 0..<5 { group.addTask { try await world.suspend("acme", version: 2) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(replies.map(\.status).sorted() == [200, 412, 412, 412, 412])
            #expect(try await world.count("SELECT count(*) FROM control.outbox WHERE type LIKE '%suspended%'") == 1)
        }
    }

    @Test("publishes its suspension and reactivation, with versions that count up")
    func events() async throws {
        try await IdentityWorld.with { world in
            _ = try await world.tenant("acme")
            _ = try await world.suspend("acme", version: 2)
            _ = try await world.reactivate("acme", version: 3)
            let events = try await world.plane.asSuperuser(
                "SELECT type, aggregate_version FROM control.outbox ORDER BY transaction_id, position"
            ).map { try $0.decode((String, Int64).self) }
            #expect(
                events.map(\.0) == [
                    "identity.tenant.registered.v1", "identity.tenant.suspended.v1", "identity.tenant.reactivated.v1",
                ])
            #expect(events.map(\.1) == [2, 3, 4])
        }
    }

    @Test("is suspended by the operator alone")
    func operatorOnly() async throws {
        try await IdentityWorld.with { world in
            let tenant = try await world.tenant("acme")
            let reply = try await world.http.authorized(tenant.key).post(
                "/api/v1/tenants/acme/suspend", json: ["reason": "x"], headers: ["If-Match": "\"2\""])
            #expect(reply.status == 401)
        }
    }
}

import Kernel
import Testing
import Web

@Suite("Who may call")
struct AccessTests {
    @Test(
        "credentials that are missing, malformed or unknown are refused with a challenge",
        arguments: [nil, "Bearer nobody", "Basic YWNtZTprZXk=", "Bearer", "Bearer ", "acme-key", "Bearer  acme-key"])
    func unauthenticated(authorization: String?) async throws {
        try await withServer { server in
            for path in ["/api/v1/things", "/operator", "/either"] {
                let answer = try await server.call(
                    "GET", path, bearer: nil, headers: authorization.map { [("Authorization", $0)] } ?? [])
                #expect(answer.status == 401)
                #expect(try answer.problem == "unauthenticated")
                #expect(answer["www-authenticate"]?.hasPrefix("Bearer") == true)
                #expect(answer["www-authenticate"]?.contains("invalid_token") == (authorization != nil))
            }
        }
    }

    @Test("two Authorization headers are refused, even where one is good")
    func twice() async throws {
        try await withServer { server in
            let both = [("Authorization", "Bearer acme-key"), ("Authorization", "Bearer nobody")]
            for headers in [both, both.reversed()] {
                let answer = try await server.call("GET", "/api/v1/things", bearer: nil, headers: headers)
                #expect(answer.status == 401)
            }
        }
    }

    @Test("the scheme is read in any case")
    func schemeCase() async throws {
        try await withServer { server in
            let answer = try await server.call(
                "GET", "/api/v1/things", bearer: nil, headers: [("Authorization", "bearer acme-key")])
            #expect(answer.status == 200)
        }
    }

    @Test("the operator's key opens the operator's endpoints and no tenant's")
    func operatorKey() async throws {
        try await withServer { server in
            let key = TestServer.operatorKey
            let open = try await server.call("GET", "/operator", bearer: key)
            #expect(open.status == 204)
            #expect(open.body.isEmpty)
            let tenant = try await server.call("GET", "/operator", bearer: "acme-key")
            #expect(tenant.status == 401)
            let shorter = try await server.call("GET", "/operator", bearer: String(key.dropLast()))
            #expect(shorter.status == 401)
            let things = try await server.call("GET", "/api/v1/things", bearer: key)
            #expect(things.status == 401)
        }
    }

    @Test("an endpoint for both knows who calls")
    func either() async throws {
        try await withServer { server in
            let byOperator = try await server.call("GET", "/either", bearer: TestServer.operatorKey)
            #expect(try byOperator.json["word"] == "operator")
            let byTenant = try await server.call("GET", "/either")
            #expect(try byTenant.json["word"] == "acme")
        }
    }

    @Test("a suspended tenant reads, and its writes are refused with a problem of their own")
    func suspended() async throws {
        try await withServer { server in
            let read = try await server.call("GET", "/api/v1/things", bearer: "globex-key")
            #expect(read.status == 200)
            let write = try await server.call(
                "POST", "/api/v1/things", bearer: "globex-key", headers: [("Idempotency-Key", "k")],
                json: BodyTests.good)
            #expect(write.status == 403)
            #expect(try write.problem == "tenant-suspended")
            #expect(server.store.now.calls == 0)
        }
    }

    @Test("credentials that may only read are refused where something changes")
    func readOnly() async throws {
        try await withServer { server in
            let read = try await server.call("GET", "/api/v1/things", bearer: "reader-key")
            #expect(read.status == 200)
            let write = try await server.call(
                "POST", "/api/v1/things", bearer: "reader-key", headers: [("Idempotency-Key", "k")],
                json: BodyTests.good)
            #expect(write.status == 403)
            #expect(try write.problem == "forbidden")
            #expect(server.store.now.calls == 0)
        }
    }

    @Test(
        "X-Tenant-Id must name the credentials' tenant, by slug or id",
        arguments: [
            ("acme", 200), ("0190a5c4-7e1b-7d3a-9f52-000000000001", 200), ("0190A5C4-7E1B-7D3A-9F52-000000000001", 200),
            ("globex", 403), ("0190a5c4-7e1b-7d3a-9f52-000000000002", 403), ("", 403), ("ACME", 403),
        ])
    func tenantHeader(value: String, status: Int) async throws {
        try await withServer { server in
            let answer = try await server.call("GET", "/api/v1/things", headers: [("X-Tenant-Id", value)])
            #expect(answer.status == status)
            if status == 403 { #expect(try answer.problem == "tenant-mismatch") }
        }
    }

    @Test("of two X-Tenant-Id headers both must agree")
    func tenantHeaderTwice() async throws {
        try await withServer { server in
            let answer = try await server.call(
                "GET", "/api/v1/things", headers: [("X-Tenant-Id", "acme"), ("X-Tenant-Id", "globex")])
            #expect(answer.status == 403)
        }
    }

    @Test("an authenticator that can't reach its database is 503, not 401")
    func authenticatorDown() async throws {
        try await withServer { server in
            let answer = try await server.call("GET", "/api/v1/things", bearer: "database-down")
            #expect(answer.status == 503)
            #expect(try answer.problem == "unavailable")
            #expect(answer["retry-after"] == "2")
        }
    }
}

import DevStack
import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@Suite("Making a tenant in a running server", .showsPrograms)
struct ProvisioningTests {
    @Test("gives it a working place in every tier, with its orders, invoices and usage there and nowhere else")
    func everyTier() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                for tier in Tier.allCases {
                    let tenant = try await stack.register(on: tier)
                    let order = try await tenant.fulfilledOrder()
                    let invoice = try await Waiting.value("the invoice on \(tier)") {
                        try await tenant.invoices(of: order).first
                    }
                    #expect(invoice["totalMinor"]?.int == 13_650)
                    #expect(invoice["number"]?.string?.hasSuffix("000001") == true)
                    try await Waiting.until("the usage on \(tier)") { try await tenant.ordersMetered() == "1" }
                    let orders = Dictionary(
                        uniqueKeysWithValues: try await stack.places(of: "orders.orders", tenant: tenant))
                    #expect(orders == [Stack.place(of: "orders.orders", tenant: tenant, on: tier): 1])
                    let placement = try await stack.asOperator.get("/api/v1/tenants/\(tenant.slug)/placement")
                    let decision = placement["decisions"]?.array?.first
                    #expect(decision?["tier"]?.string == tier.rawValue && decision?["rule"]?.int != nil, "\(placement)")
                    #expect(decision?["reason"]?.string?.contains(Stack.skus[tier] ?? "?") == true)
                }
            }
        }
    }

    @Test(
        "goes on where it was killed when the request comes again, and leaves one tenant and no debris",
        arguments: [
            ("reserve", Tier.silo, "LOCK TABLE control.tenants IN SHARE MODE"),
            ("build", .bridge, "SELECT pg_advisory_xact_lock(hashtext('atrium.tenant_schemas'))"),
            ("furnish", .pool, "LOCK TABLE identity.users IN SHARE MODE"),
            ("open", .pool, "LOCK TABLE control.outbox IN SHARE MODE"),
            ("open", .bridge, "LOCK TABLE control.outbox IN SHARE MODE"),
            ("open", .silo, "LOCK TABLE control.outbox IN SHARE MODE"),
        ])
    func killed(_ step: String, _ tier: Tier, _ lock: String) async throws {
        try await Stack.with { stack in
            let slug = "acme"
            let first = try await stack.start()
            let gate = try await PostgresConnection.connect(ConnectionSettings(stack.database.url), logger: .silent)
            _ = try await gate.flight([Statement("BEGIN"), Statement(SQL(unsafeSQL: lock))], deadline: nil)
            let cutOff = Task { try? await stack.registration(slug, on: tier, key: "k-1") }
            try await Waiting.until("step \(step) waits at the gate") {
                try await stack.number(
                    """
                    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                        AND usename IN ('atrium_app', 'atrium_provisioner') AND wait_event_type = 'Lock'
                    """) > 0
            }
            try await first.kill()
            _ = await cutOff.value
            // What the server process still has to do of it, the commit included, dies as well.
            try await stack.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
                    AND usename IN ('atrium_app', 'atrium_provisioner')
                """)
            gate.close()
            #expect(try await stack.number("SELECT count(*) FROM control.tenants WHERE state = 'active'") == 0)

            try await stack.serving { _ in
                if step != "reserve" {
                    let other = try await stack.registration(slug, on: tier, key: "k-2")
                    #expect(other.status == 409, "another request does not take the slug over: \(other)")
                    let progress = try await stack.asOperator.get("/api/v1/tenants/\(slug)/provisioning")
                    let done = progress["steps"]?.array?.filter { $0["finishedAt"]?.string != nil }.count
                    #expect(done == ["build": 1, "furnish": 2, "open": 3][step], "\(progress)")
                }
                let reply = try await stack.registration(slug, on: tier, key: "k-1")
                #expect(reply.status == 201, "\(reply)")
                let again = try await stack.registration(slug, on: tier, key: "k-1")
                #expect(again.status == 201 && again["tenant"]?["id"] == reply["tenant"]?["id"], "\(again)")
                let key = try #require(reply["apiKey"]?["key"]?.string)
                let tenant = Stack.Tenant(
                    id: reply["tenant"]?["id"]?.string ?? "", slug: slug, http: stack.http.authorized(key))
                #expect(try await tenant.openOrder().status == 201)
                let keys = try await stack.http.authorized(try await tenant.session(of: stack)).get("/api/v1/api-keys")
                #expect(keys["items"]?.array?.count == 1)
                for (table, count) in [
                    ("tenants", 1), ("placements", 1), ("routing_decisions", 1), ("registrations", 0), ("outbox", 1),
                ] {
                    let found = try await stack.number("SELECT count(*) FROM control.\(unsafeSQL: table)")
                    #expect(found == count, "\(table)")
                }
                let schemas = try await stack.number("SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%\\_\\_t%'")
                #expect(schemas == (tier == .bridge ? 4 : 0))
                let progress = try await stack.asOperator.get("/api/v1/tenants/\(slug)/provisioning")
                #expect(progress["steps"]?.array?.allSatisfy { $0["finishedAt"]?.string != nil } == true, "\(progress)")
            }
        }
    }

    @Test("whose answer got lost is there when the request comes again, without the key that was shown to nobody")
    func lostAnswer() async throws {
        try await Stack.with { stack in
            let first = try await stack.start()
            let gate = try await PostgresConnection.connect(ConnectionSettings(stack.database.url), logger: .silent)
            _ = try await gate.flight([Statement("BEGIN"), Statement("LOCK TABLE control.outbox IN SHARE MODE")])
            let cutOff = Task { try? await stack.registration("acme", on: .bridge, key: "k") }
            try await Waiting.until("the opening waits at the gate") {
                try await stack.number(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'control.outbox'::regclass") > 0
            }
            try await first.kill()
            _ = await cutOff.value
            gate.close()
            try await Waiting.until("the server commits what it had been sent") {
                try await stack.number("SELECT count(*) FROM control.tenants WHERE state = 'active'") == 1
            }
            try await stack.serving { _ in
                let reply = try await stack.registration("acme", on: .bridge, key: "k")
                #expect(reply.status == 201 && reply.headers["Idempotency-Replayed"] == "true", "\(reply)")
                #expect(reply["apiKey"]?["key"] == .null)
                let session = try await stack.http.post(
                    "/api/v1/sessions",
                    json: ["tenant": "acme", "email": "admin@acme.example", "password": .string(Stack.password)])
                #expect(session["accessToken"]?.string != nil, "\(session)")
            }
        }
    }

    @Test("is known to every process at once, and so is its suspension")
    func everyProcess() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let port = try FreePort.find()
                let other = try await stack.start(["--roles", "http"], port: port)
                let elsewhere = HTTP("http://127.0.0.1:\(port)")
                for tier in Tier.allCases {
                    let tenant = try await stack.register(on: tier)
                    let there = elsewhere.authorized(tenant.http.bearer ?? "")
                    #expect(try await there.get("/api/v1/orders").status == 200, "\(tier)")
                    let suspended = try await stack.asOperator.post(
                        "/api/v1/tenants/\(tenant.slug)/suspend", json: ["reason": "overdue"],
                        headers: ["If-Match": "\"2\""])
                    #expect(suspended.status == 200, "\(suspended)")
                    try await Waiting.until("the other process refuses writes", within: .seconds(2)) {
                        try await Stack.Tenant(id: tenant.id, slug: tenant.slug, http: there).openOrder().status == 403
                    }
                    #expect(try await there.get("/api/v1/orders").status == 200)
                }
                _ = try await other.terminate()
            }
        }
    }

    @Test("on a server that can't be reached is refused with the reason, and succeeds once it can")
    func unreachable() async throws {
        try await Stack.with { stack in
            try await stack.execute("INSERT INTO control.servers (name) VALUES ('far')")
            let override: JSONValue = ["tier": "silo", "server": "far", "reason": "Contract 7"]
            var environment = stack.environment()
            environment["ATRIUM_SERVERS"] = "far"
            environment["ATRIUM_SERVER_FAR_URL"] = "postgresql://atrium_app:atrium@127.0.0.1:9/postgres"
            environment["ATRIUM_SERVER_FAR_PROVISIONER_URL"] =
                "postgresql://atrium_provisioner:atrium@127.0.0.1:9/postgres"
            try await AtriumProcess.with(
                ["serve"], environment: environment, readyWhen: .url("\(stack.url)/health/live")
            ) { _ in
                let reply = try await stack.registration("acme", on: .pool, key: "k", placement: override)
                #expect(reply.status == 503 && reply["type"]?.string?.hasSuffix("not-provisioned") == true, "\(reply)")
                #expect(reply["detail"]?.string?.contains("can't be reached") == true, "\(reply)")
                #expect(reply.headers["Retry-After"] != nil)
                let progress = try await stack.asOperator.get("/api/v1/tenants/acme/provisioning")
                #expect(progress["steps"]?.array?[1]["error"]?.string?.contains("can't be reached") == true)
            }
            environment["ATRIUM_SERVER_FAR_URL"] = stack.database.user("atrium_app", password: "atrium").url
            environment["ATRIUM_SERVER_FAR_PROVISIONER_URL"] =
                stack.database.user("atrium_provisioner", password: "atrium").url
            try await AtriumProcess.with(
                ["serve"], environment: environment, readyWhen: .url("\(stack.url)/health/live")
            ) { _ in
                let reply = try await stack.registration("acme", on: .pool, key: "k", placement: override)
                #expect(reply.status == 201, "\(reply)")
                let placement = try await stack.asOperator.get("/api/v1/tenants/acme/placement")
                let decision = placement["decisions"]?.array?.first
                #expect(decision?["server"] == "far" && decision?["reason"] == "Contract 7", "\(placement)")
                #expect(decision?["rule"]?.int == nil)
            }
        }
    }

    @Test("without a login that may make schemas says which setting gives one")
    func noProvisioner() async throws {
        try await Stack.with { stack in
            var environment = stack.environment()
            environment["ATRIUM_PROVISIONER_DATABASE_URL"] = nil
            try await AtriumProcess.with(
                ["serve"], environment: environment, readyWhen: .url("\(stack.url)/health/live")
            ) { _ in
                #expect(try await stack.registration("pooled", on: .pool, key: "p").status == 201)
                for tier in [Tier.bridge, .silo] {
                    let reply = try await stack.registration("acme-\(tier)", on: tier, key: "\(tier)")
                    #expect(reply.status == 503, "\(reply)")
                    #expect(reply["detail"]?.string?.contains("ATRIUM_PROVISIONER_DATABASE_URL") == true, "\(reply)")
                }
            }
        }
    }
}

extension Stack {
    func registration(
        _ slug: String, on tier: Tier, key: String, placement: JSONValue = .null
    ) async throws -> HTTPReply {
        var body: [String: JSONValue] = [
            "slug": .string(slug), "name": "A tenant", "sku": .string(Self.skus[tier] ?? ""), "region": "eu-central",
            "administrator": [
                "email": .string("admin@\(slug).example"), "name": "Ada", "password": .string(Self.password),
            ],
        ]
        if placement != .null { body["placement"] = placement }
        return try await asOperator.post(
            "/api/v1/tenants", json: .object(body), headers: ["Idempotency-Key": key])
    }

    /// Where rows of the tenant lie, in every schema and database that could hold some, and how many.
    func places(of table: String, tenant: Tenant) async throws -> [(String, Int)] {
        let name = table.split(separator: ".")[1]
        var found: [(String, Int)] = []
        let hex = tenant.id.replacing("-", with: "")
        let silo = try await number("SELECT count(*) FROM pg_database WHERE datname = \("atrium_t\(hex)")")
        for database in [self.database] + (silo > 0 ? [self.database.database("atrium_t\(hex)")] : []) {
            let schemas = try await PostgresConnection.execute(
                "SELECT schemaname FROM pg_tables WHERE tablename = \(String(name))", at: database)
            for schema in try schemas.map({ try $0.decode(String.self) }) {
                let count = try await PostgresConnection.execute(
                    """
                    SELECT count(*) FROM \(identifier: schema).\(identifier: String(name))
                    WHERE tenant_id = \(tenant.id)::text::uuid
                    """, at: database)[0].decode(Int64.self)
                if count > 0 {
                    let label = database.database == self.database.database ? "shared" : "own"
                    found.append(("\(label): \(schema)", Int(count)))
                }
            }
        }
        return found
    }

    static func place(of table: String, tenant: Tenant, on tier: Tier) -> String {
        let schema = table.split(separator: ".")[0]
        return switch tier {
        case .pool: "shared: \(schema)"
        case .bridge: "shared: \(schema)__t\(tenant.id.replacing("-", with: ""))"
        case .silo: "own: \(schema)"
        }
    }
}

import DevStack
import Foundation
import Kafka
import Kernel
import Logging
import Postgres
import TestSupport

/// A database and a broker that outlive the `atrium` processes which a test starts, kills and starts again on them.
struct Stack: Sendable {
    let database: PostgresAddress
    let broker: EmbeddedBroker
    let port: Int

    static let operatorKey = "operator-key-of-the-tests-0123456789"
    static let secret = "a secret that is long enough for the tests"
    static let password = "correct horse battery"

    var url: String { "http://127.0.0.1:\(port)" }
    var http: HTTP { HTTP(url) }
    var asOperator: HTTP { http.authorized(Self.operatorKey) }

    static func with(_ body: @Sendable (Stack) async throws -> Void) async throws {
        try await PostgresServer.withDatabase(.migrated) { try await with($0.address, body) }
    }

    static func with(_ database: PostgresAddress, _ body: @Sendable (Stack) async throws -> Void) async throws {
        let broker = try EmbeddedBroker(
            topics: ["identity.tenant", "orders.order", "billing.invoice", "metering.usage"].map { TopicSpec($0) },
            logger: .silent)
        let stack = Stack(database: database, broker: broker, port: try FreePort.find())
        do {
            try await body(stack)
        } catch {
            await broker.close()
            try? await Task { try await stack.dropSilos() }.value
            throw error
        }
        await broker.close()
        try await stack.dropSilos()
    }

    /// Databases that tenants have to themselves don't go with the test's own.
    private func dropSilos() async throws {
        let silos = try await PostgresConnection.execute(
            "SELECT p.database FROM control.placements p WHERE p.tier = 'silo'", at: database)
        for silo in try silos.map({ try $0.decode(String.self) }) {
            try await PostgresConnection.execute(
                "DROP DATABASE IF EXISTS \(identifier: silo) WITH (FORCE)", at: database)
        }
    }

    func environment(port: Int? = nil, logLevel: String = "info") -> [String: String] {
        [
            "ATRIUM_DATABASE_URL": database.user("atrium_app", password: "atrium").url,
            "ATRIUM_PROVISIONER_DATABASE_URL": database.user("atrium_provisioner", password: "atrium").url,
            "ATRIUM_DATABASE_POOL_MAXIMUM": "8",
            "ATRIUM_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrapServers, "ATRIUM_KAFKA_TOPIC_PARTITIONS": "4",
            "ATRIUM_OPERATOR_KEY": Self.operatorKey, "ATRIUM_SECRET": Self.secret,
            "ATRIUM_PORT": String(port ?? self.port), "ATRIUM_LOG_FORMAT": "json",
            "ATRIUM_LOG_LEVEL": logLevel, "ATRIUM_CANARY_INTERVAL": "0",
            "ATRIUM_SCHEMAS": Places.packageRoot.appending(path: "schemas").path(),
        ]
    }

    /// Runs `atrium serve` while the body does.
    func serving(
        _ arguments: [String] = [], _ body: @Sendable (AtriumProcess) async throws -> Void
    ) async throws {
        try await AtriumProcess.with(
            ["serve"] + arguments, environment: environment(), readyWhen: .url("\(url)/health/live"), body)
    }

    /// Starts one that the test ends itself.
    func start(_ arguments: [String] = [], port: Int? = nil) async throws -> AtriumProcess {
        try await AtriumProcess.start(
            ["serve"] + arguments, environment: environment(port: port),
            readyWhen: .url("http://127.0.0.1:\(port ?? self.port)/health/live"))
    }

    struct Tenant: Sendable {
        let id: String
        let slug: String
        /// Speaks with the tenant's first API key.
        let http: HTTP
    }

    /// What is sold for each tier.
    static let skus = [Tier.pool: "growth", .bridge: "scale", .silo: "enterprise"]

    func register(
        _ slug: String = "t" + UUID().uuidString.prefix(8).lowercased(), on tier: Tier = .pool
    ) async throws -> Tenant {
        let reply = try await asOperator.post(
            "/api/v1/tenants",
            json: [
                "slug": .string(slug), "name": "A tenant", "sku": .string(Self.skus[tier] ?? ""),
                "region": "eu-central",
                "administrator": [
                    "email": .string("admin@\(slug).example"), "name": "Ada", "password": .string(Self.password),
                ],
            ], headers: ["Idempotency-Key": UUID().uuidString])
        guard reply.status == 201, let id = reply["tenant"]?["id"]?.string, let key = reply["apiKey"]?["key"]?.string
        else { throw Unexpected(reply: reply) }
        return Tenant(id: id, slug: slug, http: http.authorized(key))
    }

    /// Changes the database past every fence.
    func execute(_ sql: SQL) async throws {
        try await PostgresConnection.execute(sql, at: database)
    }

    /// What the database holds, past every fence.
    func number(_ sql: SQL) async throws -> Int {
        Int(try await PostgresConnection.execute(sql, at: database)[0].decode(Int64.self))
    }
}

struct Unexpected: Error, CustomStringConvertible {
    let reply: HTTPReply

    var description: String { "unexpected answer: \(reply)" }
}

extension Stack.Tenant {
    static let lines: JSONValue = [
        ["sku": "SEAT-PRO", "quantity": 3, "unitPriceMinor": 1250],
        ["sku": "SETUP", "quantity": 1, "unitPriceMinor": 9900],
    ]

    /// A token of the tenant's administrator.
    func session(of stack: Stack) async throws -> String {
        let reply = try await stack.http.post(
            "/api/v1/sessions",
            json: [
                "tenant": .string(slug), "email": .string("admin@\(slug).example"), "password": .string(Stack.password),
            ])
        guard let token = reply["accessToken"]?.string else { throw Unexpected(reply: reply) }
        return token
    }

    func openOrder(place: Bool = false, key: String = UUID().uuidString) async throws -> HTTPReply {
        try await http.post(
            "/api/v1/orders",
            json: [
                "customerId": "0198c0de-0000-7000-8000-00000000c001", "currency": "EUR", "lines": Self.lines,
                "place": .bool(place),
            ], headers: ["Idempotency-Key": key])
    }

    /// Takes an order from nothing to fulfilled, and answers its identifier.
    func fulfilledOrder() async throws -> String {
        let opened = try await openOrder(place: true)
        guard opened.status == 201, let id = opened["id"]?.string else { throw Unexpected(reply: opened) }
        var last = opened
        for move in ["approve", "fulfil"] {
            last = try await http.post(
                "/api/v1/orders/\(id)/\(move)", headers: ["If-Match": last.headers["ETag"] ?? ""])
            guard last.status == 200 else { throw Unexpected(reply: last) }
        }
        return id
    }

    func invoices(of order: String) async throws -> [JSONValue] {
        try await http.get("/api/v1/invoices?order=\(order)")["items"]?.array ?? []
    }

    /// Usage of `orders.placed` in this hour and the one before.
    func ordersMetered() async throws -> String? {
        let hour = 3600.0
        let now = (Date().timeIntervalSince1970 / hour).rounded(.down) * hour
        func text(_ seconds: Double) -> String { Date(timeIntervalSince1970: seconds).ISO8601Format() }
        let reply = try await http.get(
            "/api/v1/usage?meter=orders.placed&from=\(text(now - hour))&to=\(text(now + hour))&window=hour")
        guard let windows = reply["windows"]?.array else { return nil }
        let sum = windows.reduce(Decimal(0)) { $0 + (Decimal(string: $1["value"]?.string ?? "") ?? 0) }
        return "\(sum)"
    }
}

import Foundation
import IdentityAdapters
import Kernel
import Logging
import Messaging
import Postgres
import Telemetry
import Tenancy
import TestSupport
import Testing
import Web

/// A server with Identity alone, on a database of its own, spoken to over HTTP.
struct IdentityWorld: Sendable {
    static let operatorKey = "operator-key-of-the-tests-0123456789"
    static let secret = Array("the secret of the tests, long enough".utf8)
    static let password = "correct horse battery staple"

    let plane: TestDataPlane
    let module: IdentityModule
    let http: HTTP

    var asOperator: HTTP { http.authorized(Self.operatorKey) }

    static func with(
        clock: WallClock = .system, secret: [UInt8] = secret,
        _ body: @escaping @Sendable (IdentityWorld) async throws -> Void
    ) async throws {
        try await TestDataPlane.with { plane in
            try await serve(plane, clock: clock, secret: secret, body)
        }
    }

    /// A further process on the same database.
    func besides(
        clock: WallClock = .system, secret: [UInt8] = secret,
        _ body: @escaping @Sendable (IdentityWorld) async throws -> Void
    ) async throws {
        try await Self.serve(plane, clock: clock, secret: secret, body)
    }

    private static func serve(
        _ plane: TestDataPlane, clock: WallClock, secret: [UInt8],
        _ body: @escaping @Sendable (IdentityWorld) async throws -> Void
    ) async throws {
        let program = try plane.registered()
        let module = try IdentityModule(
            dataPlane: program.plane, directory: program.directory, builder: program.builder,
            outbox: Outbox(schema: "control", signal: RelaySignal()), secret: secret,
            issuer: "https://atrium.test", audience: "atrium", clock: clock, logger: .silent)
        let server = try WebServer(
            WebConfiguration(port: 0, operatorKey: operatorKey, secret: Array("a secret for tests".utf8)),
            endpoints: module.endpoints,
            authenticator: module.authenticator, health: [], metrics: PrometheusRegistry(), logger: Logger(label: "web")
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            group.addTask { try await program.directory.run() }
            defer { group.cancelAll() }
            let port = try await server.port
            try await body(
                IdentityWorld(plane: plane, module: module, http: HTTP("http://127.0.0.1:\(port)")))
        }
    }

    // MARK: What tests do often

    func register(
        _ slug: String, key: String = UUID().uuidString, email: String = "ada@acme.example",
        password: String = password, sku: JSONValue = "growth"
    ) async throws -> HTTPReply {
        try await asOperator.post(
            "/api/v1/tenants", json: Self.registration(slug, email: email, password: password, sku: sku),
            headers: ["Idempotency-Key": key])
    }

    static func registration(
        _ slug: String, email: String = "ada@acme.example", password: String = password, sku: JSONValue = "growth"
    ) -> JSONValue {
        [
            "slug": .string(slug), "name": "Acme Corporation", "sku": sku, "region": "eu-central",
            "administrator": ["email": .string(email), "name": "Ada Lovelace", "password": .string(password)],
        ]
    }

    /// A tenant that is ready, and its first key.
    func tenant(_ slug: String) async throws -> (id: TenantID, key: String) {
        let reply = try await register(slug)
        let json = try reply.json()
        let id = try #require(TenantID(json["tenant"]?["id"]?.string ?? ""), "\(reply)")
        return (id, try #require(json["apiKey"]?["key"]?.string))
    }

    func logIn(_ tenant: String, email: String = "ada@acme.example", password: String = password) async throws
        -> HTTPReply
    {
        try await http.post(
            "/api/v1/sessions",
            json: ["tenant": .string(tenant), "email": .string(email), "password": .string(password)])
    }

    func token(of tenant: String) async throws -> String {
        let reply = try await logIn(tenant)
        return try #require(reply["accessToken"]?.string, "\(reply)")
    }

    func createKey(
        as bearer: String, permission: JSONValue = "write", expiresAt: JSONValue = .null,
        idempotencyKey: String = UUID().uuidString
    ) async throws -> HTTPReply {
        try await http.authorized(bearer).post(
            "/api/v1/api-keys", json: ["name": "CI", "permission": permission, "expiresAt": expiresAt],
            headers: ["Idempotency-Key": idempotencyKey])
    }

    func suspend(_ slug: String, version: Int) async throws -> HTTPReply {
        try await asOperator.post(
            "/api/v1/tenants/\(slug)/suspend", json: ["reason": "Invoice is overdue"],
            headers: ["If-Match": "\"\(version)\""])
    }

    func reactivate(_ slug: String, version: Int) async throws -> HTTPReply {
        try await asOperator.post("/api/v1/tenants/\(slug)/reactivate", headers: ["If-Match": "\"\(version)\""])
    }

    func count(_ sql: SQL) async throws -> Int64 {
        try await plane.asSuperuser(sql).first?.decode(Int64.self) ?? -1
    }
}

extension HTTPReply {
    /// The last part of the problem's type.
    var problem: String? { self["type"]?.string?.split(separator: "/").last.map(String.init) }

    /// The body without what differs from request to request.
    var bodyWithoutRequest: JSONValue? {
        guard var members = try? json().object else { return nil }
        members["requestId"] = nil
        return .object(members)
    }
}

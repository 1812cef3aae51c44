import DevStack
import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@Suite("At the door of a running server", .showsPrograms)
struct DoorTests {
    @Test(
        "another tenant's identifiers answer exactly as identifiers that do not exist, on every route that takes one",
        arguments: Tier.allCases)
    func foreignIdentifiers(_ tier: Tier) async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let (owner, stranger) = (try await stack.register(on: tier), try await stack.register(on: tier))
                // An administrator who has logged in: whatever is refused is refused for the identifier alone.
                let http = stack.http.authorized(try await stranger.session(of: stack))
                let order = try await owner.fulfilledOrder()
                let invoice = try await Waiting.value("the invoice") {
                    try await owner.invoices(of: order).first?["id"]?.string
                }
                let document = try await stack.http.get("/openapi.json").json()
                var tried = 0
                for (path, operations) in document["paths"]?.object ?? [:]
                where path.contains("{id}") && !path.hasPrefix("/api/v1/operations/") {
                    let theirs = path.contains("invoices") ? invoice : order
                    let nobodys = UUID().uuidString.lowercased()
                    for (method, operation) in operations.object ?? [:] {
                        let body: Data? =
                            operation["requestBody"] == nil
                            ? nil : operation["requestBody"]?["content"]?["application/json"]?["example"]?.data
                        func answer(_ id: String) async throws -> HTTPReply {
                            try await http.send(
                                method.uppercased(), path.replacing("{id}", with: id), body: body,
                                headers: ["If-Match": "\"1\"", "Content-Type": "application/json"])
                        }
                        let (foreign, absent) = (try await answer(theirs), try await answer(nobodys))
                        #expect(foreign.status == 404, "\(method) \(path): \(foreign)")
                        #expect(absent.status == 404)
                        #expect(foreign["type"] == absent["type"] && foreign["title"] == absent["title"])
                        #expect(foreign["detail"] == absent["detail"])
                        tried += 1
                    }
                }
                // Orders alone have eight; a route table that hides its identifiers would pass unseen.
                #expect(tried >= 10, "\(tried) operations take an identifier")
            }
        }
    }

    @Test("the OpenAPI document is valid by an independent validator and names every context's routes")
    func openAPI() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let reply = try await stack.http.get("/openapi.json")
                let output = try await Python.run(module: "openapi_spec_validator", ["-"], input: reply.text)
                #expect(output.output.contains("OK"), "\(output)")
                let paths = Set((try reply.json()["paths"]?.object ?? [:]).keys)
                for path in [
                    "/api/v1/tenants", "/api/v1/tenants/{slug}", "/api/v1/tenants/{slug}/suspend", "/api/v1/sessions",
                    "/api/v1/api-keys", "/api/v1/me", "/.well-known/jwks.json", "/api/v1/orders",
                    "/api/v1/orders/{id}/lines", "/api/v1/orders/{id}/history", "/api/v1/invoices",
                    "/api/v1/invoices/{id}/void", "/api/v1/usage/events", "/api/v1/usage", "/health/ready", "/metrics",
                ] { #expect(paths.contains(path), "\(path)") }
                // What depends on which contexts the process runs may not be found.
                for path in ["dead-letters", "parked-keys"] {
                    let get = try reply.json()["paths"]?["/api/v1/operations/\(path)"]?["get"]
                    #expect(get?["responses"]?["404"] != nil, "\(path)")
                }
            }
        }
    }

    @Test(
        "bad requests get an answer that says what is wrong, and change nothing",
        arguments: [
            ("{", 400, "malformed-json"),
            (#"{"customerId":"x","currency":"EUR","lines":[]}"#, 422, "invalid-body"),
            (order(currency: "EURO"), 422, "invalid-body"), (order(currency: "XXX"), 422, "invalid-body"),
            (order(quantity: "-1"), 422, "invalid-body"), (order(quantity: "0"), 422, "invalid-body"),
            (order(quantity: "1.5"), 422, "invalid-body"), (order(quantity: #""3""#), 422, "invalid-body"),
            (order(quantity: "99999999999999999999"), 422, "invalid-body"),
            (order(quantity: "2", price: "9223372036854775807"), 422, "order-total-too-large"),
            (order(extra: #","coupon":"X""#), 422, "invalid-body"),
            (order(extra: #","currency":"USD""#), 400, "malformed-json"),
        ])
    func badOrders(_ body: String, _ status: Int, _ type: String) async throws {
        try await Self.shared { stack, tenant in
            let reply = try await tenant.http.send(
                "POST", "/api/v1/orders", body: Data(body.utf8),
                headers: ["Content-Type": "application/json", "Idempotency-Key": UUID().uuidString])
            #expect(reply.status == status, "\(reply)")
            #expect(reply["type"]?.string?.hasSuffix("/\(type)") == true, "\(reply)")
            #expect(reply.headers["Content-Type"] == "application/problem+json")
            #expect(reply["requestId"]?.string == reply.headers["X-Request-Id"])
            #expect(try await tenant.http.get("/api/v1/orders")["items"]?.array?.isEmpty == true)
        }
    }

    @Test("a write says how far it has written, and a read that brings what nobody gave is refused")
    func consistency() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let tenant = try await stack.register()
                let written = try await tenant.openOrder()
                let token = try #require(written.headers["Atrium-Consistency"])
                #expect(token.hasPrefix("v1.home."))
                let id = written["id"]?.string ?? ""
                let read = try await tenant.http.get("/api/v1/orders/\(id)", headers: ["Atrium-Consistency": token])
                #expect(read.status == 200 && read.headers["Atrium-Consistency"] == nil, "\(read)")
                for wrong in ["v1.home.xyz", "0/16B3748", "\(token) \(token)"] {
                    let refused = try await tenant.http.get(
                        "/api/v1/orders/\(id)", headers: ["Atrium-Consistency": wrong])
                    #expect(refused.status == 400, "\(refused)")
                }
            }
        }
    }

    @Test("a tenant header that disagrees with the credentials is refused")
    func tenantHeader() async throws {
        try await Self.shared { stack, tenant in
            let other = try await stack.register()
            #expect(try await tenant.http.get("/api/v1/me", headers: ["X-Tenant-Id": tenant.id]).status == 200)
            let refused = try await tenant.http.get("/api/v1/me", headers: ["X-Tenant-Id": other.id])
            #expect(refused.status == 403 && refused["type"]?.string?.hasSuffix("/tenant-mismatch") == true)
        }
    }

    @Test("a session works where its key does, and tokens that were not made here do not")
    func sessions() async throws {
        try await Self.shared { stack, tenant in
            let token = try await tenant.session(of: stack)
            #expect(try await stack.http.authorized(token).get("/api/v1/me").status == 200)
            let parts = token.split(separator: ".").map(String.init)
            let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.\(parts[1])."
            for forged in [none, "\(parts[0]).\(parts[1]).", "\(parts[0]).\(parts[1]).AAAA", "\(token)x", "atk_x_y_z"] {
                let refused = try await stack.http.authorized(forged).get("/api/v1/me")
                #expect(refused.status == 401 && refused.headers["WWW-Authenticate"] != nil)
            }
        }
    }

    static func order(
        currency: String = "EUR", quantity: String = "1", price: String = "100", extra: String = ""
    ) -> String {
        """
        {"customerId":"0198c0de-0000-7000-8000-00000000c001","currency":"\(currency)",\
        "lines":[{"sku":"A","quantity":\(quantity),"unitPriceMinor":\(price)}]\(extra)}
        """
    }

    private static func shared(_ body: @Sendable (Stack, Stack.Tenant) async throws -> Void) async throws {
        try await Stack.with { stack in
            try await stack.serving(["--roles", "http"]) { _ in try await body(stack, try await stack.register()) }
        }
    }
}

import Billing
import BillingContracts
import Foundation
import Kernel
import OrdersContracts
import Tenancy
import TestSupport
import Testing

@testable import BillingAdapters

@Suite("Invoices over HTTP")
struct InvoiceRouteTests {
    /// The invoice for a new order of the tenant.
    private static func invoice(of tenant: TenantID, in world: BillingWorld) async throws -> String {
        let event = fulfilled(by: tenant)
        try await world.deliver(event)
        let list = try await world.http(as: tenant).get("/api/v1/invoices?order=\(event.orderId)").json()
        return try #require(list["items"]?[0]?["id"]?.string)
    }

    @Test("are voided on the version that was read; the number stays, and the next invoice gets the next one")
    func voiding() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            let http = world.http(as: tenant)
            let id = try await Self.invoice(of: tenant, in: world)
            let reason: JSONValue = ["reason": "delivered to the wrong customer"]
            let reply = try await http.post("/api/v1/invoices/\(id)/void", json: reason, headers: ["If-Match": "\"1\""])
            #expect(reply.status == 200, "\(reply)")
            #expect(reply.headers["ETag"] == "\"2\"")
            #expect(reply["state"] == "void" && reply["number"] == "INV-000001")
            #expect(reply["voidReason"] == "delivered to the wrong customer" && reply["voidedAt"]?.string != nil)
            #expect(try await http.get("/api/v1/invoices/\(id)").bodyWithoutRequest == reply.bodyWithoutRequest)

            let published = try await world.published("billing.invoice.voided.v1")
            #expect(published.count == 1 && published[0]["number"] == "INV-000001")
            try await validate(published[0], against: "billing/invoice.voided.v1.json")
            let next = try await Self.invoice(of: tenant, in: world)
            #expect(try await http.get("/api/v1/invoices/\(next)")["number"] == "INV-000002")
        }
    }

    @Test("are not voided twice, on a stale version, or without one")
    func refusedVoiding() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            let http = world.http(as: tenant)
            let id = try await Self.invoice(of: tenant, in: world)
            let path = "/api/v1/invoices/\(id)/void"
            let reason: JSONValue = ["reason": "r"]
            #expect(try await http.post(path, json: reason).status == 428)
            #expect(try await http.post(path, json: reason, headers: ["If-Match": "\"2\""]).status == 412)
            #expect(try await http.post(path, json: reason, headers: ["If-Match": "\"1\""]).status == 200)
            #expect(try await http.post(path, json: reason, headers: ["If-Match": "\"1\""]).status == 412)
            let again = try await http.post(path, json: reason, headers: ["If-Match": "\"2\""])
            #expect(again.status == 409 && again.problem == "illegal-invoice-move")
            #expect(try await world.published("billing.invoice.voided.v1").count == 1)
        }
    }

    @Test("of twelve who void the same version at once, one does")
    func voidingRace() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            let id = try await Self.invoice(of: tenant, in: world)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<12 {
                    group.addTask {
                        try await world.http(as: tenant).post(
                            "/api/v1/invoices/\(id)/void", json: ["reason": .string("number \(index)")],
                            headers: ["If-Match": "\"1\""]
                        ).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [200] + Array(repeating: 412, count: 11))
            #expect(try await world.published("billing.invoice.voided.v1").count == 1)
        }
    }

    @Test("are not voided by one who read the version before another voided it")
    func overtaken() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            let id = try #require(InvoiceID(try await Self.invoice(of: tenant, in: world)))
            await #expect(throws: StaleVersion.self) {
                try await world.plane.dataPlane.write(.test(tenant), as: BillingModule.context) { transaction in
                    let repository = PostgresInvoiceRepository(
                        transaction: transaction, outbox: world.outbox, identifiers: .system)
                    _ = try await repository.update(id, expecting: 1) { invoice throws(BillingError) in
                        try invoice.void(because: "too late", at: later)
                    }
                    // It has read the first version and not yet written when somebody else is done.
                    let other = try await world.http(as: tenant).post(
                        "/api/v1/invoices/\(id)/void", json: ["reason": "in time"], headers: ["If-Match": "\"1\""])
                    #expect(other.status == 200, "\(other)")
                }
            }
            #expect(try await world.http(as: tenant).get("/api/v1/invoices/\(id)")["voidReason"] == "in time")
            #expect(try await world.published("billing.invoice.voided.v1").count == 1)
        }
    }

    @Test("are voided only for a reason that can be kept")
    func badReason() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            let id = try await Self.invoice(of: tenant, in: world)
            for body in [
                "{}", #"{"reason":""}"#, #"{"reason":" "}"#, #"{"reason":7}"#, #"{"reason":"a\nb"}"#,
                #"{"reason":"x","why":"y"}"#, #"{"reason":"\#(String(repeating: "x", count: 501))"}"#,
            ] {
                let reply = try await world.http(as: tenant).send(
                    "POST", "/api/v1/invoices/\(id)/void", body: Data(body.utf8),
                    headers: ["If-Match": "\"1\"", "Content-Type": "application/json"])
                #expect(reply.status == 422 && reply.problem == "invalid-body", "\(reply)")
            }
        }
    }

    @Test("of another tenant can't be told from invoices that do not exist")
    func otherTenant() async throws {
        try await BillingWorld.with { world in
            let (owner, other): (TenantID, TenantID) = (IdentifierSource.system.next(), IdentifierSource.system.next())
            let id = try await Self.invoice(of: owner, in: world)
            let stranger = world.http(as: other)
            let absent = UUID().uuidString.lowercased()
            let shown = (
                try await stranger.get("/api/v1/invoices/\(id)"), try await stranger.get("/api/v1/invoices/\(absent)")
            )
            #expect(shown.0.status == 404 && shown.0.bodyWithoutRequest == shown.1.bodyWithoutRequest)
            let match = ["If-Match": "\"1\""]
            let voided = (
                try await stranger.post("/api/v1/invoices/\(id)/void", json: ["reason": "mine"], headers: match),
                try await stranger.post("/api/v1/invoices/\(absent)/void", json: ["reason": "mine"], headers: match)
            )
            #expect(voided.0.status == 404 && voided.0.bodyWithoutRequest == voided.1.bodyWithoutRequest)
            #expect(try await stranger.get("/api/v1/invoices").json()["items"] == [])
            #expect(try await stranger.get("/api/v1/account").status == 404)
            #expect(try await world.http(as: owner).get("/api/v1/invoices/\(id)")["state"] == "issued")
        }
    }

    @Test("are listed newest first, page by page, and filtered by state, customer and order")
    func list() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            let http = world.http(as: tenant)
            let customer: CustomerID = IdentifierSource.system.next()
            for index in 0..<5 {
                try await world.deliver(
                    index == 2 ? fulfilled(by: tenant, customer: customer) : fulfilled(by: tenant))
            }
            func numbers(_ query: String) async throws -> [String] {
                try await http.get("/api/v1/invoices\(query)").json()["items"]?.array?
                    .compactMap { $0["number"]?.string } ?? []
            }
            let first = try await http.get("/api/v1/invoices?limit=3").json()
            #expect(
                first["items"]?.array?.compactMap { $0["number"]?.string } == [
                    "INV-000005", "INV-000004", "INV-000003",
                ])
            let cursor = try #require(first["nextCursor"]?.string)
            #expect(try await numbers("?limit=3&cursor=\(cursor)") == ["INV-000002", "INV-000001"])
            #expect(try await numbers("?customer=\(customer)") == ["INV-000003"])

            let third = try #require(first["items"]?[2]?["id"]?.string)
            _ = try await http.post(
                "/api/v1/invoices/\(third)/void", json: ["reason": "r"], headers: ["If-Match": "\"1\""])
            #expect(try await numbers("?state=void") == ["INV-000003"])
            #expect(try await numbers("?state=issued").count == 4)
            #expect(try await numbers("?state=issued&customer=\(customer)") == [])
            for bad in ["?state=paid", "?customer=x", "?order=1", "?cursor=abc", "?limit=0", "?colour=red"] {
                let reply = try await http.get("/api/v1/invoices\(bad)")
                #expect(reply.status == 400 && reply.problem == "invalid-parameter", "\(bad): \(reply)")
            }
        }
    }
}

import DevStack
import Foundation
import Postgres
import TestSupport
import Testing

@Suite("One order through four contexts")
struct OrderFlowTests {
    @Test("becomes an invoice and a usage figure, for its tenant and nobody else", .showsPrograms)
    func flow() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let (a, b) = (try await stack.register(), try await stack.register())
                let order = try await a.fulfilledOrder()
                let invoice = try await Waiting.value("the invoice") { try await a.invoices(of: order).first }
                #expect(invoice["totalMinor"]?.int == 13_650)
                #expect(invoice["number"]?.string?.hasSuffix("000001") == true)
                try await Waiting.until("the usage") { try await a.ordersMetered() == "1" }

                #expect(try await b.http.get("/api/v1/orders/\(order)").status == 404)
                #expect(try await b.invoices(of: order).isEmpty)
                #expect(try await b.ordersMetered() == "0")
                let history = try await a.http.get("/api/v1/orders/\(order)/history")["changes"]?.array ?? []
                #expect(
                    history.compactMap { $0["change"]?.string } == ["drafted", "placed", "approved", "fulfilled"])
                #expect(history.allSatisfy { $0["actor"]?.string?.hasPrefix("api-key:") == true })
            }
        }
    }

    @Test("works the same when each kind of work and each context has a process of its own", .showsPrograms)
    func split() async throws {
        try await Stack.with { stack in
            try await stack.serving(["--roles", "http"]) { _ in
                let workers = [
                    try await stack.start(["--roles", "relay"], port: FreePort.find()),
                    try await stack.start(["--roles", "consumers", "--contexts", "billing"], port: FreePort.find()),
                    try await stack.start(["--roles", "consumers", "--contexts", "metering"], port: FreePort.find()),
                ]
                let tenant = try await stack.register()
                let order = try await tenant.fulfilledOrder()
                _ = try await Waiting.value("the invoice") { try await tenant.invoices(of: order).first }
                try await Waiting.until("the usage") { try await tenant.ordersMetered() == "1" }
                for worker in workers { _ = try await worker.terminate() }
            }
        }
    }

    @Test(
        "can be followed through the log: every line of a request or reaction says whose it is and what it belongs to")
    func log() async throws {
        try await Stack.with { stack in
            let process = try await AtriumProcess.start(
                ["serve"], environment: stack.environment(logLevel: "debug"),
                readyWhen: .url("\(stack.url)/health/live"))
            let tenant = try await stack.register()
            let order = try await tenant.fulfilledOrder()
            _ = try await Waiting.value("the invoice") { try await tenant.invoices(of: order).first }
            _ = try await process.terminate()
            _ = try await process.line(containing: "\u{0}")
            let lines = try String(contentsOfFile: process.logPath, encoding: .utf8).split(separator: "\n")
                .compactMap { try? JSONValue(parsing: String($0)).object }
            let reactions = lines.filter { $0["reaction"] != nil }
            #expect(reactions.count >= 2)
            for line in reactions {
                for key in ["tenant", "correlation", "event"] { #expect(line[key] != nil, "\(key) in \(line)") }
            }
            let requests = lines.filter { $0["operation"] != nil }
            for line in requests {
                for key in ["request", "correlation"] { #expect(line[key] != nil, "\(key) in \(line)") }
            }
            let fulfilling = try #require(requests.first { $0["operation"] == "fulfilOrder" })
            #expect(fulfilling["tenant"]?.string == tenant.id)
            // The same correlation, from the request into the other context.
            #expect(reactions.contains { $0["correlation"] == fulfilling["correlation"] })
        }
    }

    @Test("answers a repeated request with the same order, and another body under its key not at all", .showsPrograms)
    func idempotency() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let tenant = try await stack.register()
                let first = try await tenant.openOrder(key: "k-1")
                let again = try await tenant.openOrder(key: "k-1")
                #expect(first.status == 201 && again.status == 201)
                #expect(first.body == again.body)
                #expect(again.headers["Idempotency-Replayed"] == "true")
                #expect(again.headers["ETag"] == first.headers["ETag"])
                #expect(again.headers["Location"] == first.headers["Location"])
                #expect(try await tenant.openOrder(place: true, key: "k-1").status == 422)
                #expect(try await tenant.http.get("/api/v1/orders")["items"]?.array?.count == 1)
                // Another tenant's key is another key.
                #expect(try await stack.register().openOrder(key: "k-1").headers["Idempotency-Replayed"] == nil)
            }
        }
    }

    @Test("refuses a change without, with a broken and with a stale version", .showsPrograms)
    func versions() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let tenant = try await stack.register()
                let order = try await tenant.openOrder()
                let path = "/api/v1/orders/\(order["id"]?.string ?? "")/place"
                #expect(try await tenant.http.post(path).status == 428)
                #expect(try await tenant.http.post(path, headers: ["If-Match": "three"]).status == 400)
                #expect(try await tenant.http.post(path, headers: ["If-Match": "\"9\""]).status == 412)
                #expect(try await tenant.http.post(path, headers: ["If-Match": "\"1\""]).status == 200)
                #expect(try await tenant.http.post(path, headers: ["If-Match": "\"1\""]).status == 412)
                // Two at once on one version: one wins.
                let approve = "/api/v1/orders/\(order["id"]?.string ?? "")/approve"
                let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<8 {
                        group.addTask { try await tenant.http.post(approve, headers: ["If-Match": "\"2\""]).status }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(statuses.count { $0 == 200 } == 1)
                #expect(statuses.count { $0 == 412 } == 7)
            }
        }
    }

    @Test("of a suspended tenant can be read and not changed, until the tenant is reactivated", .showsPrograms)
    func suspension() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let tenant = try await stack.register()
                let order = try await tenant.openOrder()
                let path = "/api/v1/tenants/\(tenant.slug)"
                let suspended = try await stack.asOperator.post(
                    "\(path)/suspend", json: ["reason": "overdue"],
                    headers: ["If-Match": try await stack.asOperator.get(path).headers["ETag"] ?? ""])
                #expect(suspended.status == 200)
                let refused = try await tenant.openOrder()
                #expect(refused.status == 403)
                #expect(refused["type"]?.string?.hasSuffix("/tenant-suspended") == true)
                #expect(try await tenant.http.get("/api/v1/orders/\(order["id"]?.string ?? "")").status == 200)
                let reactivated = try await stack.asOperator.post(
                    "\(path)/reactivate", headers: ["If-Match": suspended.headers["ETag"] ?? ""])
                #expect(reactivated.status == 200)
                #expect(try await tenant.openOrder().status == 201)
            }
        }
    }
}

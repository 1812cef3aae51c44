import Billing
import BillingAdapters
import Foundation
import IdentityContracts
import Kernel
import Messaging
import OrdersContracts
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("Issuing invoices")
struct IssueTests {
    static func registered(_ tenant: TenantID) -> TenantRegisteredV1 {
        TenantRegisteredV1(
            tenantId: tenant, slug: "acme", name: "Acme", sku: "growth", region: "eu-central", registeredAt: now)
    }

    @Test("a tenant that registers has an account, once")
    func account() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            #expect(try await world.http(as: tenant).get("/api/v1/account").status == 404)
            let id: EventID = IdentifierSource.system.next()
            #expect(try await world.deliver(Self.registered(tenant), id: id) == .processed)
            #expect(try await world.deliver(Self.registered(tenant), id: id) == .duplicate)
            #expect(try await world.deliver(Self.registered(tenant)) == .processed)
            let account = try await world.http(as: tenant).get("/api/v1/account")
            #expect(account.status == 200 && account.headers["ETag"] == "\"1\"")
            #expect(account["id"]?.string == tenant.description && account["state"] == "open")
            #expect(account["openedAt"]?.string == now.description)
            #expect(try await world.count("SELECT count(*) FROM billing.accounts") == 1)
        }
    }

    @Test("an order that was fulfilled is invoiced, and others are told")
    func issue() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            let event = fulfilled(by: tenant)
            let correlation: CorrelationID = IdentifierSource.system.next()
            try await world.deliver(Self.registered(tenant))
            try await world.deliver(event, correlation: correlation)

            let list = try await world.http(as: tenant).get("/api/v1/invoices?order=\(event.orderId)").json()
            let summary = try #require(list["items"]?[0])
            #expect(
                summary["number"] == "INV-000001" && summary["state"] == "issued" && summary["totalMinor"] == 13_650)
            let id = try #require(summary["id"]?.string)
            let reply = try await world.http(as: tenant).get("/api/v1/invoices/\(id)")
            #expect(reply.status == 200 && reply.headers["ETag"] == "\"1\"")
            #expect(reply["accountId"]?.string == tenant.description)
            #expect(reply["customerId"]?.string == event.customerId.description)
            #expect(
                reply["lines"]?[0] == [
                    "sku": "SEAT-PRO", "quantity": 3, "unitPriceMinor": 1250, "amountMinor": 3750,
                ])
            #expect(reply["lines"]?[1]?["sku"] == "SETUP" && reply["voidedAt"] == .null)

            let published = try await world.published("billing.invoice.issued.v1")
            #expect(published.count == 1 && published[0]["invoiceId"]?.string == id)
            #expect(published[0]["number"] == "INV-000001" && published[0]["lines"]?.array?.count == 2)
            try await validate(published[0], against: "billing/invoice.issued.v1.json")
            let envelope = try await world.plane.asSuperuser(
                "SELECT topic, aggregate_id, aggregate_version, correlation_id FROM billing.outbox")[0]
                .decode((String, UUID, Int64, CorrelationID).self)
            #expect(envelope.0 == "billing.invoice" && envelope.1.uuidString.lowercased() == id && envelope.2 == 1)
            #expect(envelope.3 == correlation)
        }
    }

    @Test("an order that overtakes its tenant's registration opens the account, which the registration then finds")
    func overtaking() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            try await world.deliver(fulfilled(by: tenant))
            let before = try await world.http(as: tenant).get("/api/v1/account")
            #expect(before.status == 200)
            try await world.deliver(Self.registered(tenant))
            #expect(try await world.http(as: tenant).get("/api/v1/account").body == before.body)
            #expect(try await world.sequences(of: tenant) == [1])
        }
    }

    @Test("an order is invoiced once, however often and under however many events it arrives")
    func once() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            let event = fulfilled(by: tenant)
            let id: EventID = IdentifierSource.system.next()
            #expect(try await world.deliver(event, id: id) == .processed)
            #expect(try await world.deliver(event, id: id) == .duplicate)
            let refusal = await #expect(throws: Rejection.self) { try await world.deliver(event) }
            #expect(refusal?.reason.contains(event.orderId.description) == true)
            try await world.deliver(fulfilled(by: tenant))
            #expect(try await world.sequences(of: tenant) == [1, 2])
        }
    }

    @Test("orders that come together are invoiced in one transaction, each under the correlation of its own event")
    func together() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            try await world.deliver(fulfilled(by: tenant))
            let orders = (0..<3).map { _ in fulfilled(by: tenant) }
            let correlations: [CorrelationID] = orders.map { _ in IdentifierSource.system.next() }
            let outcomes = try await world.deliver(together: orders, correlations: correlations)
            #expect(outcomes == [.processed, .processed, .processed])
            let invoices = try await world.plane.asSuperuser(
                """
                SELECT i.sequence, i.order_id, o.correlation_id, count(*), sum(l.amount_minor)::bigint = i.total_minor
                FROM billing.invoices i JOIN billing.invoice_lines l ON l.invoice_id = i.id
                JOIN billing.outbox o ON o.aggregate_id = i.id
                GROUP BY i.sequence, i.order_id, o.correlation_id, i.total_minor ORDER BY i.sequence
                """
            ).map { try $0.decode((Int64, OrderID, CorrelationID, Int64, Bool).self) }.dropFirst()
            #expect(invoices.map(\.0) == [2, 3, 4])
            #expect(invoices.map(\.1) == orders.map(\.orderId))
            #expect(invoices.map(\.2) == correlations)
            #expect(invoices.allSatisfy { $0.3 == 2 && $0.4 })
            #expect(
                try await world.count(
                    "SELECT count(DISTINCT xmin::text) FROM billing.invoices") == 2)
            let published = try await world.published("billing.invoice.issued.v1")
            #expect(published.compactMap { $0["number"]?.string } == (1...4).map { "INV-00000\($0)" })

            // One that can't be invoiced undoes all, numbers included.
            let refusal = await #expect(throws: Rejection.self) {
                try await world.deliver(
                    together: [fulfilled(by: tenant), orders[1]], correlations: Array(correlations.prefix(2)))
            }
            #expect(refusal?.reason.contains("one of 2 orders") == true)
            try await world.deliver(fulfilled(by: tenant))
            #expect(try await world.sequences(of: tenant) == [1, 2, 3, 4, 5])
        }
    }

    @Test("of two events for one order at the same time, one makes an invoice and no number is lost")
    func onceAtOnce() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            // With an account that is open already, nothing but the order itself keeps the two apart.
            try await world.deliver(fulfilled(by: tenant))
            let event = fulfilled(by: tenant)
            let other = try await world.plane.dataPlane.write(.test(tenant), as: BillingModule.context) { transaction in
                try await world.reaction(in: transaction).react(to: [event])
                // The first holds its number and has not committed; the second looks, finds no invoice, and waits.
                let other = Task.detached { try await world.deliver(event) }
                try await Waiting.until("the second event waits for its number") {
                    try await world.count(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                    ) == 1
                }
                return other
            }
            let error = await #expect(throws: PostgresError.self) { try await other.value }
            #expect(error?.constraint == "invoices_order_key")
            // What lost the race is tried again, and then knows why.
            await #expect(throws: Rejection.self) { try await world.deliver(event) }
            try await world.deliver(fulfilled(by: tenant))
            #expect(try await world.sequences(of: tenant) == [1, 2, 3])
        }
    }

    @Test("an event whose figures disagree goes to the dead letters and takes no number")
    func disagreement() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            let wrong = [
                fulfilled(by: tenant, total: 13_651), fulfilled(by: tenant, lines: [line(3, 1250, 3749)], total: 3749),
                fulfilled(by: tenant, lines: [line(.max, .max, 1)], total: 1),
                fulfilled(by: tenant, lines: [line(1, .max, .max), line(1, .max, .max)], total: -2),
                fulfilled(by: tenant, lines: [], total: 0),
            ]
            for event in wrong {
                await #expect(throws: Rejection.self) { try await world.deliver(event) }
            }
            for table in ["invoices", "invoice_counters", "inbox", "outbox", "accounts"] {
                #expect(try await world.count("SELECT count(*) FROM billing.\(unsafeSQL: table)") == 0, "\(table)")
            }
            try await world.deliver(fulfilled(by: tenant))
            #expect(try await world.sequences(of: tenant) == [1])
        }
    }

    private struct Mishap: Error {}

    @Test("fifty at once, every third of which is rolled back, get numbers without a gap; so does each other tenant")
    func gapless() async throws {
        try await BillingWorld.with { world in
            let tenants: [TenantID] = [IdentifierSource.system.next(), IdentifierSource.system.next()]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<50 {
                    let tenant = tenants[index % 2]
                    group.addTask {
                        do {
                            try await world.plane.dataPlane.write(
                                .test(tenant), as: BillingModule.context
                            ) { transaction in
                                try await world.reaction(in: transaction).react(to: [fulfilled(by: tenant)])
                                if index % 3 == 0 { throw Mishap() }
                            }
                        } catch is Mishap {}
                    }
                }
                try await group.waitForAll()
            }
            let issued = (0..<50).filter { $0 % 3 != 0 }
            for (place, tenant) in tenants.enumerated() {
                let expected = issued.count { $0 % 2 == place }
                #expect(try await world.sequences(of: tenant) == Array(1...Int64(expected)))
            }
            #expect(try await world.published("billing.invoice.issued.v1").count == issued.count)
        }
    }

    @Test("the program's role can't change what an invoice says, nor delete one")
    func fence() async throws {
        try await BillingWorld.with { world in
            let tenant: TenantID = IdentifierSource.system.next()
            try await world.deliver(fulfilled(by: tenant))
            for statement: SQL in [
                "UPDATE billing.invoices SET total_minor = 1", "UPDATE billing.invoices SET sequence = 7",
                "DELETE FROM billing.invoices", "DELETE FROM billing.invoice_lines",
                "UPDATE billing.invoice_lines SET quantity = 1", "DELETE FROM billing.invoice_counters",
            ] {
                let error = await #expect(throws: PostgresError.self) {
                    try await world.plane.dataPlane.write(.test(tenant), as: BillingModule.context) {
                        $0.enqueue(statement)
                    }
                }
                #expect(error?.sqlState == "42501", "\(statement)")
            }
        }
    }
}

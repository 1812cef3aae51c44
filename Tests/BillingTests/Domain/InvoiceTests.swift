import Billing
import BillingContracts
import Kernel
import OrdersContracts
import Testing

@Suite("An invoice")
struct InvoiceTests {
    @Test(
        "number has at least six digits",
        arguments: [
            (1, "INV-000001"), (42, "INV-000042"), (999_999, "INV-999999"), (1_000_000, "INV-1000000"),
            (Int64.max, "INV-9223372036854775807"),
        ])
    func number(_ sequence: Int64, _ text: String) {
        #expect(InvoiceNumber(series: .standard, sequence: sequence).description == text)
    }

    @Test("is issued whole, as its first version")
    func issue() throws {
        let invoice = try issued()
        #expect(invoice.state == .issued && invoice.version == 1 && invoice.issuedAt == now && invoice.voiding == nil)
        #expect(invoice.recordedEvents.map(\.event) == [.issued])
    }

    @Test("that is voided keeps its number, its lines and the reason")
    func voiding() throws {
        var invoice = try issued()
        let (number, lines, total) = (invoice.number, invoice.lines, invoice.total)
        try invoice.void(because: "wrong customer", at: later)
        #expect(invoice.state == .void && invoice.version == 2)
        #expect(invoice.voiding == Invoice.Voiding(reason: "wrong customer", at: later))
        #expect(invoice.number == number && invoice.lines == lines && invoice.total == total)
    }

    @Test("makes only the legal moves between its states")
    func moves() throws {
        let legal: [InvoiceState: Set<InvoiceState>] = [.issued: [.void], .void: []]
        for from in InvoiceState.allCases {
            for to in InvoiceState.allCases { #expect(from.mayBecome(to) == legal[from]!.contains(to)) }
        }
        var invoice = try issued()
        try invoice.void(because: "once", at: later)
        #expect(throws: BillingError.illegalMove(from: .void, to: .void)) {
            try invoice.void(because: "twice", at: later)
        }
        #expect(invoice.version == 2 && invoice.voiding?.reason == "once")
        #expect(invoice.recordedEvents.count == 2)
    }

    @Test("tells others all that it says")
    func publication() throws {
        let event = fulfilled()
        var invoice = try issued(event)
        try invoice.void(because: "wrong customer", at: later)
        let published = invoice.recordedEvents.map { invoice.publication(of: $0, tenantID: event.tenantId) }
        let first = try #require(published[0] as? InvoiceIssuedV1)
        #expect(first.tenantId == event.tenantId && first.invoiceId == invoice.id && first.number == "INV-000042")
        #expect(first.orderId.uuid == event.orderId.uuid && first.customerId.uuid == event.customerId.uuid)
        #expect(first.lines.map(\.number) == [1, 2])
        #expect(first.totalMinor == first.lines.reduce(0) { $0 + $1.amountMinor })
        let second = try #require(published[1] as? InvoiceVoidedV1)
        #expect(second.number == "INV-000042" && second.reason == "wrong customer" && second.voidedAt == later)
    }

    @Test("account goes by the tenant's own UUID, whoever opens it")
    func account() {
        let tenant: TenantID = IdentifierSource.system.next()
        let (first, second) = (Account(openingFor: tenant, at: now), Account(openingFor: tenant, at: later))
        #expect(first.id == second.id && first.id.uuid == tenant.uuid)
        #expect(first.state == .open && first.version == 1)
    }
}

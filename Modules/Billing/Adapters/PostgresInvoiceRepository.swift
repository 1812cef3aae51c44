import Billing
import BillingContracts
import Foundation
import Kernel
import Messaging
import OrdersContracts
import Postgres
import Tenancy

/// One tenant's invoices, in a transaction that others may have begun.
struct PostgresInvoiceRepository: InvoiceRepository {
    let transaction: TenantTransaction
    let outbox: Outbox
    let identifiers: IdentifierSource
    /// What set the invoicing of orders off, where that is not the same for all of the transaction.
    var causes: [OrderID: Correlation] = [:]

    private var tenantID: TenantID { transaction.tenant.tenantID }

    func nextNumbers(in series: InvoiceSeries, for orders: [OrderID]) async throws -> [InvoiceNumber] {
        let count = Int64(orders.count)
        let rows = try await transaction.rowsWriting(
            """
            INSERT INTO billing.invoice_counters AS counter (tenant_id, series, last)
            SELECT \(tenantID), \(series.prefix), \(count)
            WHERE NOT EXISTS (
                SELECT FROM billing.invoices WHERE tenant_id = \(tenantID) AND order_id = ANY (\(orders)))
            ON CONFLICT (tenant_id, series) DO UPDATE SET last = counter.last + \(count)
            RETURNING last
            """)
        guard let row = rows.first else { throw BillingError.alreadyInvoiced(among: orders) }
        let last = try row.decode(Int64.self)
        return (0..<count).map { InvoiceNumber(series: series, sequence: last - count + 1 + $0) }
    }

    func insert(_ invoices: [Invoice]) async throws {
        // An array for each column costs more than it saves where there is but one row.
        transaction.enqueue(invoices.count == 1 ? insertion(of: invoices[0]) : insertion(of: invoices))
        let lines = invoices.flatMap { invoice in
            invoice.lines.enumerated().map { (invoice: invoice.id, number: Int32($0 + 1), line: $1) }
        }
        transaction.enqueue(
            """
            INSERT INTO billing.invoice_lines (tenant_id, invoice_id, number, sku, quantity, unit_price_minor, \
            amount_minor)
            SELECT \(tenantID), invoice, number, sku, quantity, price, amount
            FROM unnest(\(lines.map(\.invoice)), \(lines.map(\.number)), \(lines.map(\.line.sku)), \
            \(lines.map(\.line.quantity)), \(lines.map(\.line.unitPrice.minorUnits)), \
            \(lines.map(\.line.amount.minorUnits))) AS line (invoice, number, sku, quantity, price, amount)
            """)
        try enqueueEvents(of: invoices)
    }

    private func insertion(of invoice: Invoice) -> SQL {
        """
        INSERT INTO billing.invoices (tenant_id, id, series, sequence, account_id, order_id, customer_id, currency, \
        total_minor, state, issued_at, version)
        VALUES (\(tenantID), \(invoice.id), \(invoice.number.series.prefix), \(invoice.number.sequence), \
        \(invoice.accountID), \(invoice.orderID), \(invoice.customerID), \(invoice.currency.code), \
        \(invoice.total.minorUnits), \(invoice.state.rawValue), \(invoice.issuedAt), \(invoice.version))
        """
    }

    private func insertion(of invoices: [Invoice]) -> SQL {
        """
        INSERT INTO billing.invoices (tenant_id, id, series, sequence, account_id, order_id, customer_id, currency, \
        total_minor, state, issued_at, version)
        SELECT \(tenantID), id, series, sequence, account, order_id, customer, currency, total, state, issued_at, version
        FROM unnest(\(invoices.map(\.id)), \(invoices.map(\.number.series.prefix)), \
        \(invoices.map(\.number.sequence)), \(invoices.map(\.accountID)), \(invoices.map(\.orderID)), \
        \(invoices.map(\.customerID)), \(invoices.map(\.currency.code)), \(invoices.map(\.total.minorUnits)), \
        \(invoices.map(\.state.rawValue)), \(invoices.map(\.issuedAt)), \(invoices.map(\.version))) \
        AS invoice (id, series, sequence, account, order_id, customer, currency, total, state, issued_at, version)
        """
    }

    func update(
        _ id: InvoiceID, expecting expected: Int64, _ change: (inout Invoice) throws(BillingError) -> Void
    ) async throws -> Invoice {
        let rows = try await transaction.rows(InvoiceRow.one(id, of: tenantID))
        guard let row = rows.first else { throw BillingError.unknownInvoice(id) }
        var invoice = try InvoiceRow.invoice(id, from: row)
        guard invoice.version == expected else { throw StaleVersion() }
        try change(&invoice)
        transaction.enqueueExpectingOne(
            """
            UPDATE billing.invoices SET state = \(invoice.state.rawValue), voided_at = \(invoice.voiding?.at), \
            void_reason = \(invoice.voiding?.reason), version = \(invoice.version)
            WHERE tenant_id = \(tenantID) AND id = \(id) AND version = \(expected)
            """)
        try enqueueEvents(of: [invoice])
        return invoice
    }

    private func enqueueEvents(of invoices: [Invoice]) throws {
        let facts = try invoices.flatMap { invoice in
            try invoice.recordedEvents.map { event in
                try OutgoingFact(
                    invoice.publication(of: event, tenantID: tenantID), aggregateID: invoice.id.uuid,
                    aggregateVersion: event.version, at: event.at, identifiers: identifiers,
                    correlation: causes[invoice.orderID])
            }
        }
        try outbox.enqueue(facts, in: transaction)
    }
}

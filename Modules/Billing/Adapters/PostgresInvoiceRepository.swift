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

    private var tenantID: TenantID { transaction.tenant.tenantID }

    func nextNumber(in series: InvoiceSeries, for order: OrderID) async throws -> InvoiceNumber {
        let rows = try await transaction.rowsWriting(
            """
            INSERT INTO billing.invoice_counters AS counter (tenant_id, series, last)
            SELECT \(tenantID), \(series.prefix), 1
            WHERE NOT EXISTS (SELECT FROM billing.invoices WHERE tenant_id = \(tenantID) AND order_id = \(order))
            ON CONFLICT (tenant_id, series) DO UPDATE SET last = counter.last + 1
            RETURNING last
            """)
        guard let row = rows.first else { throw BillingError.alreadyInvoiced(order) }
        return InvoiceNumber(series: series, sequence: try row.decode(Int64.self))
    }

    func insert(_ invoice: Invoice) async throws {
        transaction.enqueue(
            """
            INSERT INTO billing.invoices (tenant_id, id, series, sequence, account_id, order_id, customer_id, currency, \
            total_minor, state, issued_at, version)
            VALUES (\(tenantID), \(invoice.id), \(invoice.number.series.prefix), \(invoice.number.sequence), \
            \(invoice.accountID), \(invoice.orderID), \(invoice.customerID), \(invoice.currency.code), \
            \(invoice.total.minorUnits), \(invoice.state.rawValue), \(invoice.issuedAt), \(invoice.version))
            """)
        transaction.enqueue(
            """
            INSERT INTO billing.invoice_lines (tenant_id, invoice_id, number, sku, quantity, unit_price_minor, \
            amount_minor)
            SELECT \(tenantID), \(invoice.id), number, sku, quantity, price, amount
            FROM unnest(\(invoice.lines.map(\.sku)), \(invoice.lines.map(\.quantity)), \
            \(invoice.lines.map(\.unitPrice.minorUnits)), \(invoice.lines.map(\.amount.minorUnits))) \
            WITH ORDINALITY AS line (sku, quantity, price, amount, number)
            """)
        try enqueueEvents(of: invoice)
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
        try enqueueEvents(of: invoice)
        return invoice
    }

    private func enqueueEvents(of invoice: Invoice) throws {
        for event in invoice.recordedEvents {
            try outbox.enqueue(
                OutgoingFact(
                    invoice.publication(of: event, tenantID: tenantID), aggregateID: invoice.id.uuid,
                    aggregateVersion: event.version, at: event.at, identifiers: identifiers),
                in: transaction)
        }
    }
}

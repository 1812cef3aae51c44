import Billing
import BillingContracts
import Kernel
import OrdersContracts
import Postgres

/// An invoice as its tables hold it.
enum InvoiceRow {
    static func one(_ id: InvoiceID, of tenant: TenantID) -> SQL {
        """
        SELECT i.series, i.sequence, i.account_id, i.order_id, i.customer_id, i.currency, i.total_minor, i.state, \
        i.issued_at, i.voided_at, i.void_reason, i.version, l.skus, l.quantities, l.prices, l.amounts
        FROM billing.invoices i, LATERAL (
            SELECT array_agg(sku ORDER BY number) AS skus, array_agg(quantity ORDER BY number) AS quantities,
                array_agg(unit_price_minor ORDER BY number) AS prices, array_agg(amount_minor ORDER BY number) AS amounts
            FROM billing.invoice_lines WHERE tenant_id = i.tenant_id AND invoice_id = i.id) l
        WHERE i.tenant_id = \(tenant) AND i.id = \(id)
        """
    }

    static func invoice(_ id: InvoiceID, from row: Row) throws -> Invoice {
        let (
            series, sequence, account, order, customer, code, total, stateName, issued, voided, reason, version, skus,
            quantities, prices, amounts
        ) = try row.decode(
            (
                String, Int64, AccountID, OrderID, CustomerID, String, Int64, String, Timestamp, Timestamp?, String?,
                Int64, [String], [Int64], [Int64], [Int64]
            ).self)
        let currency = try currency(code)
        func money(_ minorUnits: Int64) -> Money { Money(minorUnits: minorUnits, currency: currency) }
        var lines: [InvoiceLine] = []
        for (index, sku) in skus.enumerated() {
            lines.append(
                try InvoiceLine(
                    sku: sku, quantity: quantities[index], unitPrice: money(prices[index]),
                    amount: money(amounts[index])))
        }
        var voiding: Invoice.Voiding?
        if let voided, let reason { voiding = Invoice.Voiding(reason: reason, at: voided) }
        return Invoice(
            restoring: Invoice.Saved(
                id: id, number: InvoiceNumber(series: InvoiceSeries(prefix: series), sequence: sequence),
                accountID: account,
                charge: try Charge(orderID: order, customerID: customer, lines: lines, total: money(total)),
                issuedAt: issued, state: try state(stateName), voiding: voiding, version: version))
    }

    static func currency(_ code: String) throws -> Currency {
        guard let currency = Currency(code) else { throw UnreadableInvoice(what: "currency \(code)") }
        return currency
    }

    static func state(_ name: String) throws -> InvoiceState {
        guard let state = InvoiceState(rawValue: name) else { throw UnreadableInvoice(what: "state \(name)") }
        return state
    }
}

/// The table holds what this version of the program can't have written.
struct UnreadableInvoice: Error, CustomStringConvertible {
    let what: String

    var description: String { "billing has the unknown \(what); was it written by a newer version?" }
}

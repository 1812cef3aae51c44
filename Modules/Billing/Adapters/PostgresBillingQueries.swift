import Billing
import BillingContracts
import Kernel
import OrdersContracts
import Postgres
import Tenancy

/// Reads one tenant's account and invoices straight into read models.
struct PostgresBillingQueries: BillingQueries {
    let dataPlane: DataPlane
    let tenant: TenantContext

    func account() async throws -> Account? {
        let rows = try await dataPlane.query(
            tenant, as: .billing,
            "SELECT id, state, opened_at, version FROM billing.accounts WHERE tenant_id = \(tenant.tenantID)")
        guard let row = rows.first else { return nil }
        let (id, stateName, opened, version) = try row.decode((AccountID, String, Timestamp, Int64).self)
        guard let state = AccountState(rawValue: stateName) else {
            throw UnreadableInvoice(what: "account state \(stateName)")
        }
        return Account(restoring: id, state: state, openedAt: opened, version: version)
    }

    func invoice(_ id: InvoiceID) async throws -> Invoice? {
        let rows = try await dataPlane.query(tenant, as: .billing, InvoiceRow.one(id, of: tenant.tenantID))
        return try rows.first.map { try InvoiceRow.invoice(id, from: $0) }
    }

    func invoices(_ filter: InvoiceFilter) async throws -> [InvoiceSummary] {
        var conditions: SQL = "tenant_id = \(tenant.tenantID)"
        if let state = filter.state { conditions = "\(conditions) AND state = \(state.rawValue)" }
        if let customer = filter.customerID { conditions = "\(conditions) AND customer_id = \(customer)" }
        if let order = filter.orderID { conditions = "\(conditions) AND order_id = \(order)" }
        if let after = filter.after { conditions = "\(conditions) AND id < \(after)" }
        let rows = try await dataPlane.query(
            tenant, as: .billing,
            """
            SELECT id, series, sequence, order_id, customer_id, state, total_minor, currency, issued_at, version
            FROM billing.invoices WHERE \(conditions) ORDER BY id DESC LIMIT \(filter.limit)
            """)
        return try rows.map { row in
            let (id, series, sequence, order, customer, state, total, code, issued, version) = try row.decode(
                (InvoiceID, String, Int64, OrderID, CustomerID, String, Int64, String, Timestamp, Int64).self)
            return InvoiceSummary(
                id: id, number: InvoiceNumber(series: InvoiceSeries(prefix: series), sequence: sequence),
                orderID: order, customerID: customer, state: try InvoiceRow.state(state),
                total: Money(minorUnits: total, currency: try InvoiceRow.currency(code)), issuedAt: issued,
                version: version)
        }
    }
}

import Kernel
import Orders
import OrdersContracts
import Postgres
import Tenancy

/// Reads one tenant's orders straight into read models.
struct PostgresOrderQueries: OrderQueries {
    let dataPlane: DataPlane
    let tenant: TenantContext

    func order(_ id: OrderID) async throws -> Order? {
        let rows = try await dataPlane.query(
            tenant, as: .orders,
            """
            SELECT o.customer_id, o.currency, o.state, o.created_at, o.updated_at, o.version, l.skus, l.quantities, \
            l.prices
            FROM orders.orders o, LATERAL (
                SELECT array_agg(sku ORDER BY number) AS skus, array_agg(quantity ORDER BY number) AS quantities,
                    array_agg(unit_price_minor ORDER BY number) AS prices
                FROM orders.order_lines WHERE tenant_id = o.tenant_id AND order_id = o.id) l
            WHERE o.tenant_id = \(tenant.tenantID) AND o.id = \(id)
            """)
        guard let row = rows.first else { return nil }
        let (customer, code, stateName, created, updated, version, skus, quantities, prices) = try row.decode(
            (CustomerID, String, String, Timestamp, Timestamp, Int64, [String], [Int64], [Int64]).self)
        let currency = try currency(code)
        var lines: [OrderLine] = []
        for (index, sku) in skus.enumerated() {
            lines.append(
                try OrderLine(
                    sku: sku, quantity: quantities[index],
                    unitPrice: Money(minorUnits: prices[index], currency: currency)))
        }
        return try Order(
            restoring: Order.Saved(
                id: id, customerID: customer, currency: currency, state: state(stateName), lines: lines,
                createdAt: created, updatedAt: updated, version: version))
    }

    func orders(_ filter: OrderFilter) async throws -> [OrderSummary] {
        var conditions: SQL = "tenant_id = \(tenant.tenantID)"
        if let state = filter.state { conditions = "\(conditions) AND state = \(state.rawValue)" }
        if let customer = filter.customerID { conditions = "\(conditions) AND customer_id = \(customer)" }
        if let after = filter.after { conditions = "\(conditions) AND id < \(after)" }
        let rows = try await dataPlane.query(
            tenant, as: .orders,
            """
            SELECT id, customer_id, state, total_minor, currency, created_at, version FROM orders.orders
            WHERE \(conditions) ORDER BY id DESC LIMIT \(filter.limit)
            """)
        return try rows.map { row in
            let (id, customer, stateName, total, code, created, version) = try row.decode(
                (OrderID, CustomerID, String, Int64, String, Timestamp, Int64).self)
            return OrderSummary(
                id: id, customerID: customer, state: try state(stateName),
                total: Money(minorUnits: total, currency: try currency(code)), createdAt: created, version: version)
        }
    }

    func history(of id: OrderID) async throws -> [OrderChange]? {
        let rows = try await dataPlane.query(
            tenant, as: .orders,
            """
            SELECT version, change, reason, actor, at FROM orders.order_history
            WHERE tenant_id = \(tenant.tenantID) AND order_id = \(id) ORDER BY version
            """)
        guard !rows.isEmpty else { return nil }
        return try rows.map { row in
            let (version, change, reason, actor, at) = try row.decode(
                (Int64, String, String?, String, Timestamp).self)
            return OrderChange(version: version, change: change, reason: reason, actor: actor, at: at)
        }
    }

    private func currency(_ code: String) throws -> Currency {
        guard let currency = Currency(code) else { throw UnreadableOrder(what: "currency \(code)") }
        return currency
    }

    private func state(_ name: String) throws -> OrderState {
        guard let state = OrderState(rawValue: name) else { throw UnreadableOrder(what: "state \(name)") }
        return state
    }
}

/// The table holds what this version of the program can't have written.
struct UnreadableOrder: Error, CustomStringConvertible {
    let what: String

    var description: String { "an order has the unknown \(what); was it written by a newer version?" }
}

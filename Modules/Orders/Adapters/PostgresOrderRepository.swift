import Foundation
import Kernel
import Messaging
import Orders
import OrdersContracts
import Postgres
import Tenancy

extension ContextRole {
    static let orders = ContextRole.app("orders")
}

/// One tenant's orders in PostgreSQL. A save is one transaction and one round trip: state, lines, history, events, and
/// the receipt of the command.
struct PostgresOrderRepository: OrderRepository {
    let dataPlane: DataPlane
    let tenant: TenantContext
    let outbox: Outbox
    let identifiers: IdentifierSource
    /// The answer to keep beside the effect of a command that carried an `Idempotency-Key`.
    var receipt: @Sendable (Order) throws -> CommandReceipt? = { _ in nil }

    func insert(_ order: Order) async throws {
        try await dataPlane.write(tenant, as: .orders) { transaction in
            if let receipt = try receipt(order) { transaction.enqueue(receipt, in: "orders") }
            transaction.enqueue(
                """
                INSERT INTO orders.orders (tenant_id, id, customer_id, currency, state, total_minor, created_at, \
                updated_at, version)
                VALUES (\(tenant.tenantID), \(order.id), \(order.customerID), \(order.currency.code), \
                \(order.state.rawValue), \(order.total.minorUnits), \(order.createdAt), \(order.updatedAt), \
                \(order.version))
                """)
            enqueueLines(of: order, in: transaction)
            try enqueueEvents(of: order, in: transaction)
        }
    }

    func update(
        _ id: OrderID, expecting expected: Int64, _ change: (inout Order) throws(OrderError) -> Void
    ) async throws -> Order {
        guard var order = try await PostgresOrderQueries(dataPlane: dataPlane, tenant: tenant).order(id) else {
            throw OrderError.unknownOrder(id)
        }
        guard order.version == expected else { throw StaleVersion() }
        let linesBefore = order.lines
        try change(&order)
        let changed = order
        try await dataPlane.write(tenant, as: .orders) { transaction in
            transaction.enqueueExpectingOne(
                """
                UPDATE orders.orders SET state = \(changed.state.rawValue), total_minor = \(changed.total.minorUnits), \
                updated_at = \(changed.updatedAt), version = \(changed.version)
                WHERE tenant_id = \(tenant.tenantID) AND id = \(id) AND version = \(expected)
                """)
            if changed.lines != linesBefore {
                transaction.enqueue(
                    "DELETE FROM orders.order_lines WHERE tenant_id = \(tenant.tenantID) AND order_id = \(id)")
                enqueueLines(of: changed, in: transaction)
            }
            try enqueueEvents(of: changed, in: transaction)
        }
        return changed
    }

    private func enqueueLines(of order: Order, in transaction: TenantTransaction) {
        transaction.enqueue(
            """
            INSERT INTO orders.order_lines (tenant_id, order_id, number, sku, quantity, unit_price_minor)
            SELECT \(tenant.tenantID), \(order.id), number, sku, quantity, price
            FROM unnest(\(order.lines.map(\.sku)), \(order.lines.map(\.quantity)), \
            \(order.lines.map(\.unitPrice.minorUnits))) WITH ORDINALITY AS line (sku, quantity, price, number)
            """)
    }

    private func enqueueEvents(of order: Order, in transaction: TenantTransaction) throws {
        let recorded = order.recordedEvents
        transaction.enqueue(
            """
            INSERT INTO orders.order_history (tenant_id, order_id, version, change, reason, actor, correlation_id, at)
            SELECT \(tenant.tenantID), \(order.id), version, change, reason, \(tenant.actor.description), \
            \(tenant.correlation.id), at
            FROM unnest(\(recorded.map(\.version)), \(recorded.map(\.event.name)), \
            \(recorded.map(\.event.reason)), \(recorded.map(\.at))) AS event (version, change, reason, at)
            """)
        let channel = OrderChannelV2(tenant.actor)
        let facts = try recorded.compactMap { event in
            try order.publication(of: event, tenantID: tenant.tenantID, channel: channel).map {
                try OutgoingFact(
                    $0, aggregateID: order.id.uuid, aggregateVersion: event.version, at: event.at,
                    identifiers: identifiers)
            }
        }
        try outbox.enqueue(facts, in: transaction)
    }
}

extension OrderChannelV2 {
    init(_ actor: Actor) {
        switch actor {
        case .apiKey: self = .api
        case .user: self = .person
        case .operator, .reaction: self = .unknown
        }
    }
}

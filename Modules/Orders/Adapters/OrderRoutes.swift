import Kernel
import Messaging
import Orders
import OrdersContracts
import Tenancy
import Web

struct OrderRoutes: Sendable {
    let dataPlane: DataPlane
    let outbox: Outbox
    let policy: OrderPolicy
    let identifiers: IdentifierSource
    let clock: WallClock

    var endpoints: [Endpoint] {
        [create, list, show, replaceLines, history]
            + [
                move("place", .place, "Places a draft order: its lines are final from then on"),
                move("approve", .approve, "Approves a placed order"),
                moveWithReason("reject", "Turns a placed order down") { .reject(reason: $0) },
                move("fulfil", .fulfil, "Marks an approved order as delivered: it will be invoiced"),
                moveWithReason("cancel", "Calls an order off before it is delivered") { .cancel(reason: $0) },
            ]
    }

    private var create: Endpoint {
        Endpoint(
            .post, "/api/v1/orders", "createOrder", tag: "Orders", summary: "Opens an order",
            about: "The order is a draft unless `place` is true.",
            access: .tenant(.write), body: .json(NewOrder.shape),
            idempotency: .receipts(ReceiptStore(dataPlane, as: .orders)),
            success: .created(Order.shape, versioned: true),
            problems: [.noLines, .badLine, .totalTooLarge, .belowMinimum]
        ) { call in
            var repository = repository(for: call.tenant)
            repository.receipt = { try call.receipt(for: reply(to: call, with: $0)) }
            let handler = DraftOrderHandler(
                repository: repository, policy: policy, identifiers: identifiers, clock: clock)
            let order = try await handler.handle(
                DraftOrder(
                    customerID: call.body.customerID, currency: call.body.currency, lines: call.body.lines,
                    place: call.body.place ?? false))
            return reply(to: call, with: order)
        }
    }

    private func reply(to call: Call<TenantCaller, NewOrder, Order>, with order: Order) -> Reply<Order> {
        call.reply(order, version: order.version, location: "/api/v1/orders/\(order.id)")
    }

    private var list: Endpoint {
        Endpoint(
            .get, "/api/v1/orders", "listOrders", tag: "Orders", summary: "Lists orders, newest first",
            access: .tenant(.read), parameters: [stateFilter, customerFilter, paging],
            success: .ok(.page(of: OrderSummary.shape))
        ) { call in
            let page = try call[paging]
            let orders = try await queries(for: call.tenant).orders(
                OrderFilter(
                    state: try call[stateFilter], customerID: try call[customerFilter], after: page.after,
                    limit: page.fetch))
            return call.reply(page.page(orders) { $0.id })
        }
    }

    private var show: Endpoint {
        Endpoint(
            .get, "/api/v1/orders/{id}", "getOrder", tag: "Orders", summary: "Shows an order",
            access: .tenant(.read), parameters: [orderID], success: .ok(Order.shape, versioned: true),
            problems: [.notFound]
        ) { call in
            guard let order = try await queries(for: call.tenant).order(try call[orderID]) else {
                throw Problem(.notFound)
            }
            return call.reply(order, version: order.version)
        }
    }

    private var replaceLines: Endpoint {
        Endpoint(
            .put, "/api/v1/orders/{id}/lines", "replaceOrderLines", tag: "Orders", summary: "Replaces a draft's lines",
            access: .tenant(.write), parameters: [orderID], body: .json(NewLines.shape), ifMatch: true,
            success: .ok(Order.shape, versioned: true),
            problems: [.notFound, .noLines, .badLine, .totalTooLarge, .illegalMove]
        ) { call in
            let order = try await change(
                try call[orderID], of: call.tenant, at: try call.ifMatch, .replaceLines(call.body.lines))
            return call.reply(order, version: order.version)
        }
    }

    private var history: Endpoint {
        Endpoint(
            .get, "/api/v1/orders/{id}/history", "getOrderHistory", tag: "Orders",
            summary: "Tells who changed an order, what, when", access: .tenant(.read), parameters: [orderID],
            success: .ok(OrderHistory.shape), problems: [.notFound]
        ) { call in
            guard let changes = try await queries(for: call.tenant).history(of: try call[orderID]) else {
                throw Problem(.notFound)
            }
            return call.reply(OrderHistory(changes: changes))
        }
    }

    private func move(_ verb: String, _ change: ChangeOrder.Change, _ summary: String) -> Endpoint {
        Endpoint(
            .post, "/api/v1/orders/{id}/\(verb)", "\(verb)Order", tag: "Orders", summary: summary,
            access: .tenant(.write), parameters: [orderID], ifMatch: true,
            success: .ok(Order.shape, versioned: true),
            problems: [.notFound, .illegalMove] + (change == .place ? [.belowMinimum] : [])
        ) { call in
            let order = try await self.change(try call[orderID], of: call.tenant, at: try call.ifMatch, change)
            return call.reply(order, version: order.version)
        }
    }

    private func moveWithReason(
        _ verb: String, _ summary: String, _ change: @escaping @Sendable (String) -> ChangeOrder.Change
    ) -> Endpoint {
        Endpoint(
            .post, "/api/v1/orders/{id}/\(verb)", "\(verb)Order", tag: "Orders", summary: summary,
            access: .tenant(.write), parameters: [orderID], body: .json(OrderReason.shape), ifMatch: true,
            success: .ok(Order.shape, versioned: true), problems: [.notFound, .illegalMove]
        ) { call in
            let order = try await self.change(
                try call[orderID], of: call.tenant, at: try call.ifMatch, change(call.body.reason))
            return call.reply(order, version: order.version)
        }
    }

    private func change(
        _ id: OrderID, of tenant: TenantContext, at version: Int64, _ change: ChangeOrder.Change
    ) async throws -> Order {
        try await ChangeOrderHandler(repository: repository(for: tenant), policy: policy, clock: clock)
            .handle(ChangeOrder(id: id, version: version, change: change))
    }

    private func repository(for tenant: TenantContext) -> PostgresOrderRepository {
        PostgresOrderRepository(dataPlane: dataPlane, tenant: tenant, outbox: outbox, identifiers: identifiers)
    }

    private func queries(for tenant: TenantContext) -> PostgresOrderQueries {
        PostgresOrderQueries(dataPlane: dataPlane, tenant: tenant)
    }
}

private let orderID = Parameter.path("id", .identifier(OrderID.self), "The order.")
private let stateFilter: Parameter<OrderState?> = .query(
    "state", .enumeration(OrderState.self), "Only orders in this state.")
private let customerFilter: Parameter<CustomerID?> = .query(
    "customer", .identifier(CustomerID.self), "Only orders of this customer.")
private let paging = Paging(by: .identifier(OrderID.self))

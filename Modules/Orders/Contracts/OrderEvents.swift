public import Kernel

public enum OrderKind {}
public typealias OrderID = Identifier<OrderKind>

/// A customer of the tenant; Orders knows it by its identifier alone.
public enum CustomerKind {}
public typealias CustomerID = Identifier<CustomerKind>

/// A line of an order as others see it.
public struct OrderLineV1: Codable, Hashable, Sendable {
    /// Counts from 1 within the order.
    public let number: Int
    public let sku: String
    public let quantity: Int64
    public let unitPriceMinor: Int64
    /// Always `quantity × unitPriceMinor`.
    public let amountMinor: Int64

    public init(number: Int, sku: String, quantity: Int64, unitPriceMinor: Int64, amountMinor: Int64) {
        self.number = number
        self.sku = sku
        self.quantity = quantity
        self.unitPriceMinor = unitPriceMinor
        self.amountMinor = amountMinor
    }
}

/// A customer has committed to an order; its lines and prices are final.
public struct OrderPlacedV1: IntegrationEvent {
    public static let type = "orders.order.placed.v1"

    public let tenantId: TenantID
    public let orderId: OrderID
    public let customerId: CustomerID
    public let currency: Currency
    public let lines: [OrderLineV1]
    /// Always the sum of the lines, in minor units of the currency.
    public let totalMinor: Int64
    public let placedAt: Timestamp

    public init(
        tenantId: TenantID, orderId: OrderID, customerId: CustomerID, currency: Currency, lines: [OrderLineV1],
        totalMinor: Int64, placedAt: Timestamp
    ) {
        self.tenantId = tenantId
        self.orderId = orderId
        self.customerId = customerId
        self.currency = currency
        self.lines = lines
        self.totalMinor = totalMinor
        self.placedAt = placedAt
    }
}

/// A placed order may be fulfilled.
public struct OrderApprovedV1: IntegrationEvent {
    public static let type = "orders.order.approved.v1"

    public let tenantId: TenantID
    public let orderId: OrderID
    public let approvedAt: Timestamp

    public init(tenantId: TenantID, orderId: OrderID, approvedAt: Timestamp) {
        self.tenantId = tenantId
        self.orderId = orderId
        self.approvedAt = approvedAt
    }
}

/// A placed order was turned down and ends here.
public struct OrderRejectedV1: IntegrationEvent {
    public static let type = "orders.order.rejected.v1"

    public let tenantId: TenantID
    public let orderId: OrderID
    public let reason: String
    public let rejectedAt: Timestamp

    public init(tenantId: TenantID, orderId: OrderID, reason: String, rejectedAt: Timestamp) {
        self.tenantId = tenantId
        self.orderId = orderId
        self.reason = reason
        self.rejectedAt = rejectedAt
    }
}

/// An order was delivered whole: it can be invoiced from this event alone.
public struct OrderFulfilledV1: IntegrationEvent {
    public static let type = "orders.order.fulfilled.v1"

    public let tenantId: TenantID
    public let orderId: OrderID
    public let customerId: CustomerID
    public let currency: Currency
    public let lines: [OrderLineV1]
    /// Always the sum of the lines, in minor units of the currency.
    public let totalMinor: Int64
    public let fulfilledAt: Timestamp

    public init(
        tenantId: TenantID, orderId: OrderID, customerId: CustomerID, currency: Currency, lines: [OrderLineV1],
        totalMinor: Int64, fulfilledAt: Timestamp
    ) {
        self.tenantId = tenantId
        self.orderId = orderId
        self.customerId = customerId
        self.currency = currency
        self.lines = lines
        self.totalMinor = totalMinor
        self.fulfilledAt = fulfilledAt
    }
}

/// An order that had been placed was called off. A draft that is called off tells nobody: nobody knew of it.
public struct OrderCancelledV1: IntegrationEvent {
    public static let type = "orders.order.cancelled.v1"

    public let tenantId: TenantID
    public let orderId: OrderID
    public let reason: String
    public let cancelledAt: Timestamp

    public init(tenantId: TenantID, orderId: OrderID, reason: String, cancelledAt: Timestamp) {
        self.tenantId = tenantId
        self.orderId = orderId
        self.reason = reason
        self.cancelledAt = cancelledAt
    }
}

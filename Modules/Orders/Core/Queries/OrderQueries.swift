package import Kernel
package import OrdersContracts

/// An order as a list shows it.
package struct OrderSummary: Hashable, Sendable {
    package let id: OrderID
    package let customerID: CustomerID
    package let state: OrderState
    package let total: Money
    package let createdAt: Timestamp
    package let version: Int64

    package init(
        id: OrderID, customerID: CustomerID, state: OrderState, total: Money, createdAt: Timestamp, version: Int64
    ) {
        self.id = id
        self.customerID = customerID
        self.state = state
        self.total = total
        self.createdAt = createdAt
        self.version = version
    }
}

/// One change in the life of an order: who, what, when.
package struct OrderChange: Hashable, Sendable {
    package let version: Int64
    package let change: String
    package let reason: String?
    package let actor: String
    package let at: Timestamp

    package init(version: Int64, change: String, reason: String?, actor: String, at: Timestamp) {
        self.version = version
        self.change = change
        self.reason = reason
        self.actor = actor
        self.at = at
    }
}

/// Which orders a list shows, newest first.
package struct OrderFilter: Hashable, Sendable {
    package let state: OrderState?
    package let customerID: CustomerID?
    /// Only orders older than this one.
    package let after: OrderID?
    package let limit: Int

    package init(state: OrderState? = nil, customerID: CustomerID? = nil, after: OrderID? = nil, limit: Int) {
        self.state = state
        self.customerID = customerID
        self.after = after
        self.limit = limit
    }
}

/// What can be asked about one tenant's orders.
package protocol OrderQueries: Sendable {
    func order(_ id: OrderID) async throws -> Order?
    func orders(_ filter: OrderFilter) async throws -> [OrderSummary]
    /// `nil` where there is no such order.
    func history(of id: OrderID) async throws -> [OrderChange]?
}

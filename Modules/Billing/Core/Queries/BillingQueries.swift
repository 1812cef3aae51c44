package import BillingContracts
package import Kernel
package import OrdersContracts

/// An invoice as a list shows it.
package struct InvoiceSummary: Hashable, Sendable {
    package let id: InvoiceID
    package let number: InvoiceNumber
    package let orderID: OrderID
    package let customerID: CustomerID
    package let state: InvoiceState
    package let total: Money
    package let issuedAt: Timestamp
    package let version: Int64

    package init(
        id: InvoiceID, number: InvoiceNumber, orderID: OrderID, customerID: CustomerID, state: InvoiceState,
        total: Money, issuedAt: Timestamp, version: Int64
    ) {
        self.id = id
        self.number = number
        self.orderID = orderID
        self.customerID = customerID
        self.state = state
        self.total = total
        self.issuedAt = issuedAt
        self.version = version
    }
}

/// Which invoices a list shows, newest first.
package struct InvoiceFilter: Hashable, Sendable {
    package let state: InvoiceState?
    package let customerID: CustomerID?
    package let orderID: OrderID?
    /// Only invoices older than this one.
    package let after: InvoiceID?
    package let limit: Int

    package init(
        state: InvoiceState? = nil, customerID: CustomerID? = nil, orderID: OrderID? = nil, after: InvoiceID? = nil,
        limit: Int
    ) {
        self.state = state
        self.customerID = customerID
        self.orderID = orderID
        self.after = after
        self.limit = limit
    }
}

/// What can be asked about one tenant's account and invoices.
package protocol BillingQueries: Sendable {
    func account() async throws -> Account?
    func invoice(_ id: InvoiceID) async throws -> Invoice?
    func invoices(_ filter: InvoiceFilter) async throws -> [InvoiceSummary]
}

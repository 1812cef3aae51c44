package import Kernel
package import OrdersContracts

/// Starts an order, and places it at once where the customer has already decided.
package struct DraftOrder: Sendable {
    package let customerID: CustomerID
    package let currency: Currency
    package let lines: [RequestedLine]
    package let place: Bool

    package init(customerID: CustomerID, currency: Currency, lines: [RequestedLine], place: Bool) {
        self.customerID = customerID
        self.currency = currency
        self.lines = lines
        self.place = place
    }
}

/// A line as asked for, not yet checked.
package struct RequestedLine: Hashable, Sendable {
    package let sku: String
    package let quantity: Int64
    package let unitPriceMinor: Int64

    package init(sku: String, quantity: Int64, unitPriceMinor: Int64) {
        self.sku = sku
        self.quantity = quantity
        self.unitPriceMinor = unitPriceMinor
    }

    func line(in currency: Currency) throws(OrderError) -> OrderLine {
        try OrderLine(
            sku: sku, quantity: quantity, unitPrice: Money(minorUnits: unitPriceMinor, currency: currency))
    }
}

extension [RequestedLine] {
    func lines(in currency: Currency) throws(OrderError) -> [OrderLine] {
        var lines: [OrderLine] = []
        lines.reserveCapacity(count)
        for requested in self { lines.append(try requested.line(in: currency)) }
        return lines
    }
}

package struct DraftOrderHandler<Repository: OrderRepository>: Sendable {
    private let repository: Repository
    private let policy: OrderPolicy
    private let identifiers: IdentifierSource
    private let clock: WallClock

    package init(repository: Repository, policy: OrderPolicy, identifiers: IdentifierSource, clock: WallClock) {
        self.repository = repository
        self.policy = policy
        self.identifiers = identifiers
        self.clock = clock
    }

    package func handle(_ command: DraftOrder) async throws -> Order {
        let now = clock.now()
        var order = try Order(
            id: identifiers.next(), customerID: command.customerID, currency: command.currency,
            lines: command.lines.lines(in: command.currency), at: now)
        if command.place { try order.place(under: policy, at: now) }
        try await repository.insert(order)
        return order
    }
}

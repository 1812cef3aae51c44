package import Kernel
package import OrdersContracts

/// What is to be invoiced, once its figures have been found to agree with one another.
package struct Charge: Hashable, Sendable {
    package let orderID: OrderID
    package let customerID: CustomerID
    package let lines: [InvoiceLine]
    package let total: Money

    /// - Parameter total: what the lines are said to come to; it is refused unless they do.
    package init(
        orderID: OrderID, customerID: CustomerID, lines: [InvoiceLine], total: Money
    ) throws(BillingError) {
        guard !lines.isEmpty else { throw .noLines }
        var computed = Money.zero(total.currency)
        for line in lines {
            do {
                computed = try computed.adding(line.amount)
            } catch {
                switch error {
                case .overflow: throw .amountTooLarge
                case .currencyMismatch(let left, let right): throw .currencyMismatch(left, right)
                }
            }
        }
        guard computed == total else { throw .totalDoesNotAddUp(stated: total, computed: computed) }
        self.orderID = orderID
        self.customerID = customerID
        self.lines = lines
        self.total = total
    }
}

extension Charge {
    /// Copies an order that was delivered, and checks every figure of it: an invoice repeats no mistake of others.
    package init(_ event: OrderFulfilledV1) throws(BillingError) {
        var lines: [InvoiceLine] = []
        lines.reserveCapacity(event.lines.count)
        for line in event.lines {
            lines.append(
                try InvoiceLine(
                    sku: line.sku, quantity: line.quantity,
                    unitPrice: Money(minorUnits: line.unitPriceMinor, currency: event.currency),
                    amount: Money(minorUnits: line.amountMinor, currency: event.currency)))
        }
        try self.init(
            orderID: event.orderId, customerID: event.customerId, lines: lines,
            total: Money(minorUnits: event.totalMinor, currency: event.currency))
    }
}

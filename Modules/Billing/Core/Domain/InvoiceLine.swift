package import Kernel

/// What is charged for, and how its amount comes about.
package struct InvoiceLine: Hashable, Sendable {
    package let sku: String
    package let quantity: Int64
    package let unitPrice: Money
    package let amount: Money

    /// - Parameter amount: what the line is said to come to; it is refused unless it does.
    package init(sku: String, quantity: Int64, unitPrice: Money, amount: Money) throws(BillingError) {
        guard quantity > 0 else { throw .quantityNotPositive(sku: sku, quantity) }
        guard unitPrice.minorUnits >= 0 else { throw .negativePrice(sku: sku) }
        let computed: Money
        do {
            computed = try unitPrice.multiplied(by: quantity)
        } catch {
            throw .amountTooLarge
        }
        guard computed == amount else { throw .lineDoesNotAddUp(sku: sku, stated: amount, computed: computed) }
        self.sku = sku
        self.quantity = quantity
        self.unitPrice = unitPrice
        self.amount = amount
    }
}

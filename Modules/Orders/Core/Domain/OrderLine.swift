package import Kernel

/// What is ordered, with the price as it was when the line was made.
package struct OrderLine: Hashable, Sendable {
    package static let quantities: ClosedRange<Int64> = 1...1_000_000

    package let sku: String
    package let quantity: Int64
    package let unitPrice: Money
    package let amount: Money

    package init(sku: String, quantity: Int64, unitPrice: Money) throws(OrderError) {
        guard Self.quantities.contains(quantity) else { throw .quantityOutOfRange(sku: sku, quantity) }
        guard unitPrice.minorUnits >= 0 else { throw .negativePrice(sku: sku) }
        self.sku = sku
        self.quantity = quantity
        self.unitPrice = unitPrice
        do {
            amount = try unitPrice.multiplied(by: quantity)
        } catch {
            throw .totalTooLarge
        }
    }
}

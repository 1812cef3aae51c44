package import BillingContracts
package import Kernel
package import OrdersContracts

/// Why Billing refuses a command or an event.
package enum BillingError: Error, Hashable, Sendable {
    case unknownInvoice(InvoiceID)
    case noLines
    case quantityNotPositive(sku: String, Int64)
    case negativePrice(sku: String)
    case lineDoesNotAddUp(sku: String, stated: Money, computed: Money)
    case totalDoesNotAddUp(stated: Money, computed: Money)
    case currencyMismatch(Currency, Currency)
    case amountTooLarge
    /// - Parameter among: the orders that numbers were asked for; at least one has an invoice.
    case alreadyInvoiced(among: [OrderID])
    case illegalMove(from: InvoiceState, to: InvoiceState)
}

extension BillingError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknownInvoice(let id): "there is no invoice \(id)"
        case .noLines: "there is nothing to invoice: no lines"
        case .quantityNotPositive(let sku, let quantity): "the quantity \(quantity) of \(sku) is not above zero"
        case .negativePrice(let sku): "the price of \(sku) is negative"
        case .lineDoesNotAddUp(let sku, let stated, let computed):
            "the line of \(sku) is stated as \(stated.minorUnits) and comes to \(computed.minorUnits) \(computed.currency)"
        case .totalDoesNotAddUp(let stated, let computed):
            "the total is stated as \(stated.minorUnits) and the lines come to \(computed.minorUnits) \(computed.currency)"
        case .currencyMismatch(let left, let right): "\(left) and \(right) don't add up"
        case .amountTooLarge: "an amount leaves the range of 64-bit minor units"
        case .alreadyInvoiced(let orders):
            orders.count == 1
                ? "the order \(orders[0]) has an invoice already"
                : "one of \(orders.count) orders has an invoice already"
        case .illegalMove(let from, let to): "an invoice that is \(from.rawValue) can't become \(to.rawValue)"
        }
    }
}

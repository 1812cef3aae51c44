package import Kernel
package import OrdersContracts

/// Why Orders refuses a command.
package enum OrderError: Error, Hashable, Sendable {
    case unknownOrder(OrderID)
    case noLines
    case tooManyLines(limit: Int)
    case quantityOutOfRange(sku: String, Int64)
    case negativePrice(sku: String)
    case currencyMismatch(Currency, Currency)
    case totalTooLarge
    case belowMinimum(total: Money, minimum: Money)
    case illegalMove(from: OrderState, to: OrderState)
    case linesAreFinal(OrderState)
}

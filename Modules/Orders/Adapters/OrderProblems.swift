import Kernel
package import Orders
package import Web

extension ProblemType {
    static let noLines = ProblemType(
        "order-without-lines", 422, "The order has no lines", "Send at least one line.")
    static let badLine = ProblemType(
        "order-line-refused", 422, "A line of the order can't be accepted", "Correct the line that the detail names.")
    static let totalTooLarge = ProblemType(
        "order-total-too-large", 422, "The order's total is too large", "Split the order, or correct its prices.")
    static let belowMinimum = ProblemType(
        "order-below-minimum", 422, "The order comes to less than the minimum", "Add to the order before placing it.")
    static let illegalMove = ProblemType(
        "illegal-order-move", 409, "The order can't go from its state to that one",
        "Read the order again: its state says what can still be done.")
}

extension OrderError: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .unknownOrder: Problem(.notFound)
        case .noLines: Problem(.noLines)
        case .tooManyLines(let limit): Problem(.badLine, "An order has at most \(limit) lines.")
        case .quantityOutOfRange(let sku, let quantity):
            Problem(.badLine, "The quantity \(quantity) of \(sku) is outside \(OrderLine.quantities).")
        case .negativePrice(let sku): Problem(.badLine, "The price of \(sku) is negative.")
        case .currencyMismatch(let left, let right): Problem(.badLine, "\(left) and \(right) don't add up.")
        case .totalTooLarge: Problem(.totalTooLarge, "The amounts leave the range of 64-bit minor units.")
        case .belowMinimum(let total, let minimum):
            Problem(
                .belowMinimum,
                "The total is \(total.minorUnits), the minimum \(minimum.minorUnits) minor units of \(total.currency).")
        case .illegalMove(let from, let to):
            Problem(.illegalMove, "The order is \(from.rawValue); it can't become \(to.rawValue).")
        case .linesAreFinal(let state):
            Problem(.illegalMove, "The order is \(state.rawValue); only a draft's lines can be changed.")
        }
    }
}

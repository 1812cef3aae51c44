package import Billing
package import Web

extension ProblemType {
    static let illegalInvoiceMove = ProblemType(
        "illegal-invoice-move", 409, "The invoice can't go from its state to that one",
        "Read the invoice again: one that is void stays so, and keeps its number.")
    static let chargeRefused = ProblemType(
        "charge-refused", 422, "What is to be invoiced does not add up", "The detail names the figures that disagree.")
}

extension BillingError: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .unknownInvoice: Problem(.notFound)
        case .illegalMove(let from, let to):
            Problem(.illegalInvoiceMove, "The invoice is \(from.rawValue); it can't become \(to.rawValue).")
        case .alreadyInvoiced: Problem(.conflict, "The order has an invoice already.")
        case .noLines, .quantityNotPositive, .negativePrice, .lineDoesNotAddUp, .totalDoesNotAddUp, .currencyMismatch,
            .amountTooLarge:
            Problem(.chargeRefused, "\(self)")
        }
    }
}

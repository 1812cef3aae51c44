/// Where an invoice stands, and where it may go from there.
package enum InvoiceState: String, CaseIterable, Hashable, Sendable {
    case issued, void

    package func mayBecome(_ next: InvoiceState) -> Bool {
        switch self {
        case .issued: next == .void
        case .void: false
        }
    }
}

/// Where an order stands, and where it may go from there.
package enum OrderState: String, CaseIterable, Hashable, Sendable {
    case draft, placed, approved, rejected, fulfilled, cancelled

    package func mayBecome(_ next: OrderState) -> Bool {
        switch self {
        case .draft: next == .placed || next == .cancelled
        case .placed: next == .approved || next == .rejected || next == .cancelled
        case .approved: next == .fulfilled || next == .cancelled
        case .rejected, .fulfilled, .cancelled: false
        }
    }
}

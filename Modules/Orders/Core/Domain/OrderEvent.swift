/// What can happen to an order. Internal to Orders: free to change, and translated on purpose before others see it.
package enum OrderEvent: Hashable, Sendable {
    case drafted
    case linesReplaced
    case placed
    case approved
    case rejected(reason: String)
    case fulfilled
    case cancelled(reason: String, wasPlaced: Bool)
}

extension OrderEvent {
    /// The name that an order's history keeps.
    package var name: String {
        switch self {
        case .drafted: "drafted"
        case .linesReplaced: "lines-replaced"
        case .placed: "placed"
        case .approved: "approved"
        case .rejected: "rejected"
        case .fulfilled: "fulfilled"
        case .cancelled: "cancelled"
        }
    }

    package var reason: String? {
        switch self {
        case .rejected(let reason), .cancelled(let reason, _): reason
        case .drafted, .linesReplaced, .placed, .approved, .fulfilled: nil
        }
    }
}

/// Where a tenant stands, and where it may go from there.
package enum TenantState: String, CaseIterable, Hashable, Sendable {
    /// Registered, not yet ready for use.
    case pending
    case active
    /// May read, may not write.
    case suspended

    package func mayBecome(_ next: TenantState) -> Bool {
        switch self {
        case .pending: next == .active
        case .active: next == .suspended
        case .suspended: next == .active
        }
    }
}

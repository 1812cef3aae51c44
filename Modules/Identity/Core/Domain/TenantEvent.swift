/// What can happen to a tenant. Internal to Identity: free to change, and translated on purpose before others see it.
package enum TenantEvent: Hashable, Sendable {
    case registered
    case activated
    case suspended(reason: String)
    case reactivated
}

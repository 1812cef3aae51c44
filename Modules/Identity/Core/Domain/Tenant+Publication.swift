import IdentityContracts
package import Kernel

extension Tenant {
    /// What others are told of a change; `nil` where it is nobody else's business.
    package func publication(of recorded: RecordedEvent) -> (any IntegrationEvent)? {
        switch recorded.event {
        // Others hear of it once there is a place for what they keep about it.
        case .registered:
            nil
        case .activated:
            TenantRegisteredV1(
                tenantId: id, slug: slug.text, name: name.text, sku: sku.code, region: region.code,
                registeredAt: registeredAt)
        case .suspended(let reason):
            TenantSuspendedV1(tenantId: id, slug: slug.text, reason: reason, suspendedAt: recorded.at)
        case .reactivated:
            TenantReactivatedV1(tenantId: id, slug: slug.text, reactivatedAt: recorded.at)
        }
    }
}

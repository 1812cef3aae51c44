public import Kernel

/// A tenant has joined: everything another context needs to prepare for it.
public struct TenantRegisteredV1: IntegrationEvent {
    public static let type = "identity.tenant.registered.v1"

    public let tenantId: TenantID
    /// The tenant's name in addresses and on the command line; never changes, never used again.
    public let slug: String
    public let name: String
    public let sku: String
    public let region: String
    public let registeredAt: Timestamp

    public init(
        tenantId: TenantID, slug: String, name: String, sku: String, region: String, registeredAt: Timestamp
    ) {
        self.tenantId = tenantId
        self.slug = slug
        self.name = name
        self.sku = sku
        self.region = region
        self.registeredAt = registeredAt
    }
}

/// A tenant may read and no longer write.
public struct TenantSuspendedV1: IntegrationEvent {
    public static let type = "identity.tenant.suspended.v1"

    public let tenantId: TenantID
    public let slug: String
    public let reason: String
    public let suspendedAt: Timestamp

    public init(tenantId: TenantID, slug: String, reason: String, suspendedAt: Timestamp) {
        self.tenantId = tenantId
        self.slug = slug
        self.reason = reason
        self.suspendedAt = suspendedAt
    }
}

/// A suspended tenant may write again.
public struct TenantReactivatedV1: IntegrationEvent {
    public static let type = "identity.tenant.reactivated.v1"

    public let tenantId: TenantID
    public let slug: String
    public let reactivatedAt: Timestamp

    public init(tenantId: TenantID, slug: String, reactivatedAt: Timestamp) {
        self.tenantId = tenantId
        self.slug = slug
        self.reactivatedAt = reactivatedAt
    }
}

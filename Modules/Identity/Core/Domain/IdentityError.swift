import Kernel

/// Why Identity refuses a command.
package enum IdentityError: Error, Hashable, Sendable {
    /// A value that can't be; `reason` completes "… must …".
    case invalid(Subject, reason: String)
    case slugTaken(Slug)
    /// Not taken, but what is can't be told from it at a glance.
    case slugTooAlike(Slug)
    case unknownSKU(SKU, sold: [String])
    case unknownRegion(Region, open: [String])
    /// Nowhere for a tenant to live.
    case noPlace(reason: String)
    /// What the tenant needs could not be made; nothing is lost, and the same request goes on from there.
    case notProvisioned(Slug, step: ProvisioningStep, reason: String)
    /// No such tenant, or none that the caller may know of.
    case unknownTenant
    case illegalMove(from: TenantState, to: TenantState)
    /// One answer for an unknown tenant, an unknown user, a wrong password and a user who may not come in.
    case loginRefused
    case administratorsOnly
    case unknownAPIKey(APIKeyID)

    package enum Subject: String, Hashable, Sendable {
        case slug, name, email, password, sku, region, reason, expiresAt
    }
}

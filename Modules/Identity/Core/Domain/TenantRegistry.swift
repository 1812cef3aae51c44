package import Kernel

/// Tenants of the whole platform: the control plane's one collection.
package protocol TenantRegistry: Sendable {
    /// Saves a tenant with all it begins with, or nothing of it.
    ///
    /// - Throws: `IdentityError.slugTaken`, or the platform's error for a repeated command.
    func insert(_ registration: Registration) async throws

    /// Reads the tenant, lets the caller change it, and saves it if nobody else has since.
    ///
    /// - Parameter expected: the version the caller decided on.
    /// - Throws: `IdentityError.unknownTenant`, the change's own error, or the platform's stale-version error.
    func update(
        _ slug: Slug, expecting expected: Int64, _ change: (inout Tenant) throws(IdentityError) -> Void
    ) async throws -> Tenant

    /// The tenant of a slug, unless it is not yet open for use.
    func openTenant(_ slug: Slug) async throws -> TenantID?
}

/// A new tenant with its first administrator and its first key.
package struct Registration: Sendable {
    package let tenant: Tenant
    package let administrator: User
    package let key: APIKey
    /// The text of the key, which nobody sees again.
    package let keyText: APIKeyText
}

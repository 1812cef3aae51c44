package import Kernel

/// Tenants of the whole platform: the control plane's one collection.
package protocol TenantRegistry: Sendable {
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

/// Where tenants are made, step by step; one request at a time works on one tenant.
package protocol TenantFoundry: Sendable {
    func policy() async throws -> PlacementPolicy

    /// Takes slug and place for the tenant, or finds what the same request has taken before.
    ///
    /// - Throws: `IdentityError.slugTaken`, or the platform's error for a request that has been answered.
    func reserve(_ reservation: Reservation) async throws -> Reservation

    /// Makes the schemas or the database that the tenant's place asks for.
    func build(_ reservation: Reservation) async throws

    /// Puts the first administrator and the first key there.
    func furnish(_ registration: Registration) async throws

    /// Opens the tenant for use: from here on, there is no way back.
    func open(_ registration: Registration) async throws

    /// Notes how far the step has come while it runs, and why it fails if it does.
    func perform<Result>(
        _ step: ProvisioningStep, of tenant: Tenant, _ body: () async throws -> Result
    ) async throws -> Result
}

/// What is a tenant's before anything of it is made.
package struct Reservation: Sendable {
    package let tenant: Tenant
    package let decision: PlacementDecision
    package let administratorID: UserID
    package let keyID: APIKeyID
    /// Random bytes that the first key is made from, so that a repeated attempt makes the same one; forgotten when the
    /// tenant is open.
    package let salt: [UInt8]

    package init(
        tenant: Tenant, decision: PlacementDecision, administratorID: UserID, keyID: APIKeyID, salt: [UInt8]
    ) {
        self.tenant = tenant
        self.decision = decision
        self.administratorID = administratorID
        self.keyID = keyID
        self.salt = salt
    }
}

/// A new tenant with its first administrator and its first key.
package struct Registration: Sendable {
    package let tenant: Tenant
    package let administrator: User
    package let key: APIKey
    /// The text of the key, which nobody sees again.
    package let keyText: APIKeyText
}

package import Kernel

/// Makes a tenant ready for use: placed, built, with an administrator and a first key, and open.
package struct RegisterTenant: Sendable {
    package let slug: Slug
    package let name: DisplayText
    package let sku: SKU
    package let region: Region
    package let administrator: Administrator
    package let placement: PlacementOverride?

    package struct Administrator: Sendable {
        package let email: EmailAddress
        package let name: DisplayText
        package let password: Password

        package init(email: EmailAddress, name: DisplayText, password: Password) {
            self.email = email
            self.name = name
            self.password = password
        }
    }

    package init(
        slug: Slug, name: DisplayText, sku: SKU, region: Region, administrator: Administrator,
        placement: PlacementOverride? = nil
    ) {
        self.slug = slug
        self.name = name
        self.sku = sku
        self.region = region
        self.administrator = administrator
        self.placement = placement
    }
}

package struct RegisterTenantHandler<Foundry: TenantFoundry, Hasher: PasswordHasher, Secrets: SecretSource>: Sendable {
    package static var firstKeyName: String { "First key" }

    private let foundry: Foundry
    private let passwords: Hasher
    private let secrets: Secrets
    private let identifiers: IdentifierSource
    private let clock: WallClock

    package init(
        foundry: Foundry, passwords: Hasher, secrets: Secrets, identifiers: IdentifierSource, clock: WallClock
    ) {
        self.foundry = foundry
        self.passwords = passwords
        self.secrets = secrets
        self.identifiers = identifiers
        self.clock = clock
    }

    /// Goes through the steps from the first one that is not done: a request that is repeated after a crash goes on
    /// where the first one was.
    package func handle(_ command: RegisterTenant) async throws -> Registration {
        let hash = try await passwords.hash(command.administrator.password)
        let draft = Tenant(
            id: identifiers.next(), slug: command.slug, name: command.name, sku: command.sku, region: command.region,
            at: clock.now())
        let decision = try await foundry.policy().place(draft, as: command.placement)
        let reservation = try await foundry.reserve(
            Reservation(
                tenant: draft, decision: decision, administratorID: identifiers.next(), keyID: identifiers.next(),
                salt: secrets.next(count: APIKeyText.secretLength)))
        let tenant = reservation.tenant

        try await foundry.perform(.build, of: tenant) { try await foundry.build(reservation) }
        let registration = try await foundry.perform(.furnish, of: tenant) {
            let made = try self.registration(of: command, reservation, passwordHash: hash)
            try await foundry.furnish(made)
            return made
        }
        try await foundry.open(registration)
        return registration
    }

    private func registration(
        of command: RegisterTenant, _ reservation: Reservation, passwordHash: PasswordHash
    ) throws(IdentityError) -> Registration {
        let now = clock.now()
        let administrator = FirstAdministrator(
            id: reservation.administratorID, email: command.administrator.email, name: command.administrator.name,
            passwordHash: passwordHash)
        let secret = secrets.derive(from: reservation.salt, count: APIKeyText.secretLength)
        var tenant = reservation.tenant
        try tenant.activate(at: now)
        return Registration(
            tenant: tenant, administrator: administrator.make(at: tenant.registeredAt),
            key: try APIKey(
                id: reservation.keyID, name: DisplayText(Self.firstKeyName), permission: .write,
                digest: secrets.digest(secret), createdBy: "operator", expiresAt: nil, at: now),
            keyText: APIKeyText(tenantID: tenant.id, keyID: reservation.keyID, secret: secret))
    }
}

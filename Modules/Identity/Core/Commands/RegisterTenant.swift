package import Kernel

/// Makes a tenant ready for use: registered, with an administrator and a first key, and open.
package struct RegisterTenant: Sendable {
    package let slug: Slug
    package let name: DisplayText
    package let sku: SKU
    package let region: Region
    package let administrator: Administrator

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

    package init(slug: Slug, name: DisplayText, sku: SKU, region: Region, administrator: Administrator) {
        self.slug = slug
        self.name = name
        self.sku = sku
        self.region = region
        self.administrator = administrator
    }
}

package struct RegisterTenantHandler<Registry: TenantRegistry, Hasher: PasswordHasher, Secrets: SecretSource>: Sendable
{
    package static var firstKeyName: String { "First key" }

    private let registry: Registry
    private let passwords: Hasher
    private let secrets: Secrets
    private let identifiers: IdentifierSource
    private let clock: WallClock

    package init(
        registry: Registry, passwords: Hasher, secrets: Secrets, identifiers: IdentifierSource, clock: WallClock
    ) {
        self.registry = registry
        self.passwords = passwords
        self.secrets = secrets
        self.identifiers = identifiers
        self.clock = clock
    }

    package func handle(_ command: RegisterTenant) async throws -> Registration {
        let hash = try await passwords.hash(command.administrator.password)
        let now = clock.now()
        let registration = try Registration(
            tenant: Tenant(
                id: identifiers.next(), slug: command.slug, name: command.name, sku: command.sku,
                region: command.region, at: now),
            firstAdministrator: FirstAdministrator(
                email: command.administrator.email, name: command.administrator.name, passwordHash: hash,
                identifiers: identifiers),
            keyID: identifiers.next(), keyName: DisplayText(Self.firstKeyName), secrets: secrets, at: now)
        try await registry.insert(registration)
        return registration
    }
}

extension Registration {
    /// Lets the tenant's registration bring forth its administrator and its key, and opens it.
    init(
        tenant registered: Tenant, firstAdministrator: FirstAdministrator, keyID: APIKeyID, keyName: DisplayText,
        secrets: some SecretSource, at now: Timestamp
    ) throws(IdentityError) {
        let administrators = registered.recordedEvents.compactMap(firstAdministrator.react)
        precondition(administrators.count == 1, "a registration makes one administrator")
        var tenant = registered
        try tenant.activate(at: now)
        let text = APIKeyText(
            tenantID: tenant.id, keyID: keyID, secret: secrets.next(count: APIKeyText.secretLength))
        self.init(
            tenant: tenant, administrator: administrators[0],
            key: try APIKey(
                id: keyID, name: keyName, permission: .write, digest: secrets.digest(text.secret),
                createdBy: "operator", expiresAt: nil, at: now),
            keyText: text)
    }
}

package import Kernel

/// Makes a key for a program of the tenant.
package struct CreateAPIKey: Sendable {
    package let name: DisplayText
    package let permission: APIKeyPermission
    package let expiresAt: Timestamp?
    package let createdBy: String

    package init(name: DisplayText, permission: APIKeyPermission, expiresAt: Timestamp?, createdBy: String) {
        self.name = name
        self.permission = permission
        self.expiresAt = expiresAt
        self.createdBy = createdBy
    }
}

package struct CreateAPIKeyHandler<Repository: APIKeyRepository, Secrets: SecretSource>: Sendable {
    private let repository: Repository
    private let tenantID: TenantID
    private let secrets: Secrets
    private let identifiers: IdentifierSource
    private let clock: WallClock

    package init(
        repository: Repository, tenantID: TenantID, secrets: Secrets, identifiers: IdentifierSource, clock: WallClock
    ) {
        self.repository = repository
        self.tenantID = tenantID
        self.secrets = secrets
        self.identifiers = identifiers
        self.clock = clock
    }

    /// - Returns: the key, and its text for the one time that it is shown.
    package func handle(_ command: CreateAPIKey) async throws -> (APIKey, APIKeyText) {
        let id: APIKeyID = identifiers.next()
        let text = APIKeyText(tenantID: tenantID, keyID: id, secret: secrets.next(count: APIKeyText.secretLength))
        let key = try APIKey(
            id: id, name: command.name, permission: command.permission, digest: secrets.digest(text.secret),
            createdBy: command.createdBy, expiresAt: command.expiresAt, at: clock.now())
        try await repository.insert(key)
        return (key, text)
    }
}

/// Ends a key for good. Ending it again changes nothing.
package struct RevokeAPIKeyHandler<Repository: APIKeyRepository>: Sendable {
    private let repository: Repository
    private let clock: WallClock

    package init(repository: Repository, clock: WallClock) {
        self.repository = repository
        self.clock = clock
    }

    package func handle(_ id: APIKeyID) async throws {
        let now = clock.now()
        _ = try await repository.update(id) { $0.revoke(at: now) }
    }
}

package import Kernel

/// A login, as it came: nothing in it is trusted to be well formed, since even that would tell something.
package struct OpenSession: Sendable {
    package let tenant: String
    package let email: String
    package let password: String

    package init(tenant: String, email: String, password: String) {
        self.tenant = tenant
        self.email = email
        self.password = password
    }
}

extension OpenSession: CustomStringConvertible {
    /// Leaves out the password.
    package var description: String { "a login of '\(email)' at '\(tenant)'" }
}

/// What a session's token says about its holder.
package struct SessionGrant: Hashable, Sendable {
    package static let lifetime = Duration.seconds(15 * 60)

    package let id: SessionID
    package let tenantID: TenantID
    package let userID: UserID
    package let role: UserRole
    /// Whole seconds, as tokens keep them.
    package let issuedAt: Timestamp
    package let expiresAt: Timestamp

    package init(
        id: SessionID, tenantID: TenantID, userID: UserID, role: UserRole, issuedAt: Timestamp, expiresAt: Timestamp
    ) {
        self.id = id
        self.tenantID = tenantID
        self.userID = userID
        self.role = role
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }
}

package enum SessionKind {}
package typealias SessionID = Identifier<SessionKind>

package struct Session: Sendable {
    package let grant: SessionGrant
    package let token: String
}

/// Turns grants into tokens that nobody can forge.
package protocol SessionTokens: Sendable {
    func sign(_ grant: SessionGrant) async throws -> String
}

package struct OpenSessionHandler<
    Registry: TenantRegistry, Users: UserRepository, Hasher: PasswordHasher, Tokens: SessionTokens
>: Sendable {
    private let registry: Registry
    private let users: Users
    private let passwords: Hasher
    private let tokens: Tokens
    private let identifiers: IdentifierSource
    private let clock: WallClock

    package init(
        registry: Registry, users: Users, passwords: Hasher, tokens: Tokens, identifiers: IdentifierSource,
        clock: WallClock
    ) {
        self.registry = registry
        self.users = users
        self.passwords = passwords
        self.tokens = tokens
        self.identifiers = identifiers
        self.clock = clock
    }

    /// Two look-ups and one password check, whoever is asked for: neither the answer nor its time tells who exists.
    package func handle(_ command: OpenSession) async throws -> Session {
        let tenantID = try await registry.openTenant((try? Slug(command.tenant)) ?? .nobodys)
        let user = try await users.find(try? EmailAddress(command.email), of: tenantID)
        let check = try await passwords.check(command.password, against: user?.passwordHash)
        guard let tenantID, let user, user.status == .active, check != .wrong else {
            throw IdentityError.loginRefused
        }
        if check == .rightButOutdated { try await rehash(command.password, of: user, in: tenantID) }

        let issuedAt = Timestamp(microsecondsSinceEpoch: clock.now().microsecondsSinceEpoch / 1_000_000 * 1_000_000)
        let grant = SessionGrant(
            id: identifiers.next(), tenantID: tenantID, userID: user.id, role: user.role, issuedAt: issuedAt,
            expiresAt: issuedAt.advanced(by: SessionGrant.lifetime))
        return Session(grant: grant, token: try await tokens.sign(grant))
    }

    /// Skips a password that today's rules would no longer take; a login that was right does not fail for it.
    private func rehash(_ text: String, of user: User, in tenantID: TenantID) async throws {
        guard let password = try? Password(text) else { return }
        let hash = try await passwords.hash(password)
        let now = clock.now()
        _ = try await users.update(user.id, of: tenantID) { current in
            guard current.passwordHash == user.passwordHash else { return }
            current.rehash(as: hash, at: now)
        }
    }
}

extension Slug {
    /// Looked up in place of what can't be a slug; no tenant can have it.
    static let nobodys = Slug(restoring: "-")
}

package import Kernel

/// What a user may do beyond reading and writing.
package enum UserRole: String, CaseIterable, Hashable, Sendable {
    /// May hand out and revoke keys.
    case administrator
    case member
}

package enum UserStatus: String, CaseIterable, Hashable, Sendable {
    case active
    /// May not come in, and what came in before goes out.
    case disabled
}

/// A person of one tenant. The same address in two tenants is two users who share nothing.
package struct User: Sendable {
    package let id: UserID
    package let email: EmailAddress
    package let name: DisplayText
    package private(set) var passwordHash: PasswordHash
    package let role: UserRole
    package private(set) var status: UserStatus
    package let createdAt: Timestamp
    package private(set) var updatedAt: Timestamp
    package private(set) var version: Int64
    package private(set) var recordedEvents: [UserEvent] = []

    /// Adds a new user.
    package init(
        id: UserID, email: EmailAddress, name: DisplayText, passwordHash: PasswordHash, role: UserRole,
        at now: Timestamp
    ) {
        self.id = id
        self.email = email
        self.name = name
        self.passwordHash = passwordHash
        self.role = role
        status = .active
        createdAt = now
        updatedAt = now
        version = 0
        record(.added, at: now)
    }

    /// Brings back a user who was saved.
    package init(restoring saved: Saved) {
        id = saved.id
        email = saved.email
        name = saved.name
        passwordHash = saved.passwordHash
        role = saved.role
        status = saved.status
        createdAt = saved.createdAt
        updatedAt = saved.updatedAt
        version = saved.version
    }

    package struct Saved {
        package let id: UserID
        package let email: EmailAddress
        package let name: DisplayText
        package let passwordHash: PasswordHash
        package let role: UserRole
        package let status: UserStatus
        package let createdAt: Timestamp
        package let updatedAt: Timestamp
        package let version: Int64

        package init(
            id: UserID, email: EmailAddress, name: DisplayText, passwordHash: PasswordHash, role: UserRole,
            status: UserStatus, createdAt: Timestamp, updatedAt: Timestamp, version: Int64
        ) {
            self.id = id
            self.email = email
            self.name = name
            self.passwordHash = passwordHash
            self.role = role
            self.status = status
            self.createdAt = createdAt
            self.updatedAt = updatedAt
            self.version = version
        }
    }

    /// Keeps the same password under better parameters.
    package mutating func rehash(as hash: PasswordHash, at now: Timestamp) {
        passwordHash = hash
        record(.rehashed, at: now)
    }

    package mutating func disable(at now: Timestamp) {
        guard status != .disabled else { return }
        status = .disabled
        record(.disabled, at: now)
    }

    private mutating func record(_ event: UserEvent, at now: Timestamp) {
        version += 1
        updatedAt = now
        recordedEvents.append(event)
    }
}

/// What can happen to a user; internal to Identity.
package enum UserEvent: Hashable, Sendable {
    case added
    case rehashed
    case disabled
}

/// The users of one tenant, who are found by their address.
package protocol UserRepository: Sendable {
    /// Looks up a login; a `nil` tenant costs the same query and finds nobody.
    func find(_ email: EmailAddress?, of tenant: TenantID?) async throws -> User?

    /// Reads the user, lets the caller change it, and saves it if nobody else has since.
    ///
    /// - Returns: `nil` where there is no such user.
    func update(_ id: UserID, of tenant: TenantID, _ change: (inout User) -> Void) async throws -> User?
}

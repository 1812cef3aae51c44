package import Kernel

package enum APIKeyKind {}
package typealias APIKeyID = Identifier<APIKeyKind>

package enum APIKeyPermission: String, CaseIterable, Hashable, Sendable {
    case read
    /// Reads as well.
    case write
}

/// A key for programs: its secret is known to whoever was shown it, and only its digest is kept.
package struct APIKey: Sendable {
    package let id: APIKeyID
    package let name: DisplayText
    package let permission: APIKeyPermission
    /// SHA-256 of the secret, which is random enough to need no slow hash.
    package let digest: [UInt8]
    /// Who made it, as the platform writes actors.
    package let createdBy: String
    package let createdAt: Timestamp
    package let expiresAt: Timestamp?
    package private(set) var revokedAt: Timestamp?
    package private(set) var version: Int64
    package private(set) var recordedEvents: [APIKeyEvent] = []

    /// Makes a new key.
    package init(
        id: APIKeyID, name: DisplayText, permission: APIKeyPermission, digest: [UInt8], createdBy: String,
        expiresAt: Timestamp?, at now: Timestamp
    ) throws(IdentityError) {
        if let expiresAt, expiresAt <= now { throw .invalid(.expiresAt, reason: "lie in the future") }
        self.id = id
        self.name = name
        self.permission = permission
        self.digest = digest
        self.createdBy = createdBy
        self.expiresAt = expiresAt
        createdAt = now
        version = 0
        record(.created)
    }

    /// Brings back a key that was saved.
    package init(restoring saved: Saved) {
        id = saved.id
        name = saved.name
        permission = saved.permission
        digest = saved.digest
        createdBy = saved.createdBy
        createdAt = saved.createdAt
        expiresAt = saved.expiresAt
        revokedAt = saved.revokedAt
        version = saved.version
    }

    package struct Saved {
        package let id: APIKeyID
        package let name: DisplayText
        package let permission: APIKeyPermission
        package let digest: [UInt8]
        package let createdBy: String
        package let createdAt: Timestamp
        package let expiresAt: Timestamp?
        package let revokedAt: Timestamp?
        package let version: Int64

        package init(
            id: APIKeyID, name: DisplayText, permission: APIKeyPermission, digest: [UInt8], createdBy: String,
            createdAt: Timestamp, expiresAt: Timestamp?, revokedAt: Timestamp?, version: Int64
        ) {
            self.id = id
            self.name = name
            self.permission = permission
            self.digest = digest
            self.createdBy = createdBy
            self.createdAt = createdAt
            self.expiresAt = expiresAt
            self.revokedAt = revokedAt
            self.version = version
        }
    }

    package func isUsable(at now: Timestamp) -> Bool {
        revokedAt == nil && expiresAt.map { now < $0 } ?? true
    }

    /// Ends the key for good; a key that has ended stays as it is.
    package mutating func revoke(at now: Timestamp) {
        guard revokedAt == nil else { return }
        revokedAt = now
        record(.revoked)
    }

    private mutating func record(_ event: APIKeyEvent) {
        version += 1
        recordedEvents.append(event)
    }
}

/// What can happen to a key; internal to Identity.
package enum APIKeyEvent: Hashable, Sendable {
    case created
    case revoked
}

/// The keys of one tenant.
package protocol APIKeyRepository: Sendable {
    /// - Throws: the platform's error for a repeated command.
    func insert(_ key: APIKey) async throws

    /// Reads the key, lets the caller change it, and saves it if nobody else has since.
    ///
    /// - Throws: `IdentityError.unknownAPIKey` or the platform's stale-version error.
    func update(_ id: APIKeyID, _ change: (inout APIKey) -> Void) async throws -> APIKey
}

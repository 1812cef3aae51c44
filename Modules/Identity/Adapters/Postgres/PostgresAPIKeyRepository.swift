import Identity
import Kernel
import Postgres
import Tenancy

/// One tenant's keys.
struct PostgresAPIKeyRepository: APIKeyRepository {
    let dataPlane: DataPlane
    let tenant: TenantContext
    let callers: CallerCache
    /// The answer to keep beside the effect of a command that carried an `Idempotency-Key`.
    var receipt: @Sendable (APIKey) throws -> CommandReceipt? = { _ in nil }

    func insert(_ key: APIKey) async throws {
        try await dataPlane.write(tenant, as: .identity) { transaction in
            if let receipt = try receipt(key) { transaction.enqueue(receipt, in: "identity") }
            transaction.enqueue(key.insertion(for: tenant.tenantID))
        }
    }

    func update(_ id: APIKeyID, _ change: (inout APIKey) -> Void) async throws -> APIKey {
        guard var key = try await PostgresIdentityQueries(dataPlane: dataPlane, tenant: tenant).key(id) else {
            throw IdentityError.unknownAPIKey(id)
        }
        let version = key.version
        change(&key)
        let changed = key
        guard !changed.recordedEvents.isEmpty else { return changed }
        try await dataPlane.write(tenant, as: .identity) { transaction in
            transaction.enqueueExpectingOne(
                """
                UPDATE identity.api_keys SET revoked_at = \(changed.revokedAt), version = \(changed.version)
                WHERE tenant_id = \(tenant.tenantID) AND key_id = \(id) AND version = \(version)
                """)
            transaction.afterCommit { [callers, tenant] in callers.forget(.apiKey(id.uuid), of: tenant.tenantID) }
        }
        return changed
    }
}

/// How a key reads from and goes into its table.
enum APIKeyRow {
    static let columns: SQL =
        "key_id, name, permission, digest, created_by, created_at, expires_at, revoked_at, version"

    static func key(_ row: Row) throws -> APIKey {
        let (id, name, permission, digest, creator, created, expires, revoked, version) = try row.decode(
            (APIKeyID, String, String, [UInt8], String, Timestamp, Timestamp?, Timestamp?, Int64).self)
        return APIKey(
            restoring: APIKey.Saved(
                id: id, name: DisplayText(restoring: name), permission: try known(permission), digest: digest,
                createdBy: creator, createdAt: created, expiresAt: expires, revokedAt: revoked, version: version))
    }
}

extension APIKey {
    func insertion(for tenantID: TenantID) -> SQL {
        """
        INSERT INTO identity.api_keys (tenant_id, key_id, name, permission, digest, created_by, created_at, \
        expires_at, revoked_at, version)
        VALUES (\(tenantID), \(id), \(name.text), \(permission.rawValue), \(digest), \(createdBy), \(createdAt), \
        \(expiresAt), \(revokedAt), \(version))
        """
    }
}

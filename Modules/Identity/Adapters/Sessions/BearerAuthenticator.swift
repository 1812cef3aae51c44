import Identity
import Kernel
import Logging
import Postgres
import Tenancy
package import Web

/// Tells whom a session token or an API key stands for: from memory where it was used a moment ago, otherwise with one
/// query.
package struct BearerAuthenticator: Authenticator {
    let dataPlane: DataPlane
    let keys: SigningKeys<PostgresSigningKeys>
    let callers: CallerCache
    let clock: WallClock
    let logger: Logger

    package func authenticate(bearer: String) async throws -> Caller? {
        let digest = BearerDigest(bearer)
        switch callers.look(up: digest) {
        case .hit(let caller):
            return caller
        case .miss(let ticket, let grant):
            let finding = try await finding(of: bearer, known: grant)
            callers.store(finding, for: digest, under: ticket)
            return finding?.caller
        }
    }

    private func finding(of bearer: String, known grant: SessionGrant?) async throws -> CallerCache.Finding? {
        if bearer.hasPrefix(APIKeyText.prefix) {
            guard let key = APIKeyText(bearer) else { return nil }
            return try await finding(of: key)
        }
        var verified = grant
        if verified == nil { verified = try await keys.verify(bearer) }
        guard let verified else { return nil }
        return try await finding(of: verified)
    }

    private func finding(of text: APIKeyText) async throws -> CallerCache.Finding? {
        let rows = try await dataPlane.query(
            .admission(to: text.tenantID, named: "authenticate", logger: logger), as: .identity,
            """
            SELECT \(APIKeyRow.columns), tenant_slug, tenant_state FROM identity.api_keys k, \(tenantOf: "k")
            WHERE k.tenant_id = \(text.tenantID) AND k.key_id = \(text.keyID)
            """)
        guard let row = rows.first else { return nil }
        let key = try APIKeyRow.key(row)
        guard isSame(key.digest, SystemSecrets().digest(text.secret)), key.isUsable(at: clock.now()) else { return nil }
        return try CallerCache.Finding(
            caller: caller(.apiKey(key.id.uuid), of: text.tenantID, row, mayWrite: key.permission == .write),
            expiresAt: key.expiresAt, grant: nil)
    }

    /// A session ends with its user's access and with the role it was opened for, whatever its token says.
    private func finding(of grant: SessionGrant) async throws -> CallerCache.Finding? {
        let rows = try await dataPlane.query(
            .admission(to: grant.tenantID, named: "authenticate", logger: logger), as: .identity,
            """
            SELECT \(UserRow.columns), tenant_slug, tenant_state FROM identity.users u, \(tenantOf: "u")
            WHERE u.tenant_id = \(grant.tenantID) AND u.user_id = \(grant.userID)
            """)
        guard let row = rows.first else { return nil }
        let user = try UserRow.user(row)
        guard user.status == .active, user.role == grant.role else { return nil }
        return try CallerCache.Finding(
            caller: caller(.user(user.id), of: grant.tenantID, row, mayWrite: true), expiresAt: grant.expiresAt,
            grant: grant)
    }

    private func caller(
        _ actor: Tenancy.Actor, of tenantID: TenantID, _ row: Row, mayWrite: Bool
    ) throws -> Caller {
        let state: TenantState = try known(row.decode("tenant_state"))
        return Caller(
            tenantID: tenantID, tenantSlug: try row.decode("tenant_slug"), isSuspended: state == .suspended,
            actor: actor, mayWrite: mayWrite)
    }
}

extension SQL.StringInterpolation {
    /// The slug and state of the tenant that a row belongs to.
    fileprivate mutating func appendInterpolation(tenantOf table: StaticString) {
        appendInterpolation(
            SQL(
                unsafeSQL: """
                    LATERAL (SELECT slug AS tenant_slug, state AS tenant_state FROM identity.tenants \
                    WHERE tenant_id = \(table).tenant_id) t
                    """))
    }
}

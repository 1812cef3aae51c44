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
            return try await asOfNow(caller)
        case .miss(let ticket, let grant):
            let finding = try await finding(of: bearer, known: grant)
            callers.store(finding, for: digest, under: ticket)
            return finding?.caller
        }
    }

    /// A suspension is in the directory sooner than what is remembered of a bearer runs out.
    private func asOfNow(_ caller: Caller) async throws -> Caller {
        let isSuspended = try await dataPlane.residence(of: caller.tenantID).state == .suspended
        guard isSuspended != caller.isSuspended else { return caller }
        return Caller(
            tenantID: caller.tenantID, tenantSlug: caller.tenantSlug, isSuspended: isSuspended, actor: caller.actor,
            mayWrite: caller.mayWrite)
    }

    private func finding(of bearer: String, known grant: SessionGrant?) async throws -> CallerCache.Finding? {
        do {
            return try await findingOfTenant(bearer, known: grant)
        } catch is UnknownTenant {
            return nil
        }
    }

    private func findingOfTenant(_ bearer: String, known grant: SessionGrant?) async throws -> CallerCache.Finding? {
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
            SELECT \(APIKeyRow.columns) FROM identity.api_keys
            WHERE tenant_id = \(text.tenantID) AND key_id = \(text.keyID)
            """)
        guard let row = rows.first else { return nil }
        let key = try APIKeyRow.key(row)
        guard isSame(key.digest, SystemSecrets().digest(text.secret)), key.isUsable(at: clock.now()) else { return nil }
        return try await finding(
            .apiKey(key.id.uuid), of: text.tenantID, mayWrite: key.permission == .write, expiresAt: key.expiresAt)
    }

    /// A session ends with its user's access and with the role it was opened for, whatever its token says.
    private func finding(of grant: SessionGrant) async throws -> CallerCache.Finding? {
        let rows = try await dataPlane.query(
            .admission(to: grant.tenantID, named: "authenticate", logger: logger), as: .identity,
            """
            SELECT \(UserRow.columns) FROM identity.users
            WHERE tenant_id = \(grant.tenantID) AND user_id = \(grant.userID)
            """)
        guard let row = rows.first else { return nil }
        let user = try UserRow.user(row)
        guard user.status == .active, user.role == grant.role else { return nil }
        return try await finding(
            .user(user.id), of: grant.tenantID, mayWrite: true, expiresAt: grant.expiresAt, grant: grant)
    }

    private func finding(
        _ actor: Tenancy.Actor, of tenant: TenantID, mayWrite: Bool, expiresAt: Timestamp?, grant: SessionGrant? = nil
    ) async throws -> CallerCache.Finding? {
        let residence = try await dataPlane.residence(of: tenant)
        // Nobody has been given credentials of a tenant that is being made.
        guard residence.state != .pending else { return nil }
        return CallerCache.Finding(
            caller: Caller(
                tenantID: tenant, tenantSlug: residence.slug, isSuspended: residence.state == .suspended, actor: actor,
                mayWrite: mayWrite),
            expiresAt: expiresAt, grant: grant)
    }
}

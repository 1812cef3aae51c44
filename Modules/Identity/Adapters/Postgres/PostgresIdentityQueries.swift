import Identity
import Kernel
import Postgres
import Tenancy

/// What a tenant can read about itself.
struct PostgresIdentityQueries: IdentityQueries {
    let dataPlane: DataPlane
    let tenant: TenantContext

    func tenant() async throws -> Tenant? {
        let rows = try await dataPlane.query(
            tenant, as: .control,
            "SELECT \(TenantRow.columns) FROM control.tenants WHERE tenant_id = \(tenant.tenantID)")
        return try rows.first.map(TenantRow.tenant)
    }

    func user(_ id: UserID) async throws -> User? {
        let rows = try await dataPlane.query(
            tenant, as: .identity,
            """
            SELECT \(UserRow.columns) FROM identity.users WHERE tenant_id = \(tenant.tenantID) AND user_id = \(id)
            """)
        return try rows.first.map(UserRow.user)
    }

    func key(_ id: APIKeyID) async throws -> APIKey? {
        let rows = try await dataPlane.query(
            tenant, as: .identity,
            """
            SELECT \(APIKeyRow.columns) FROM identity.api_keys
            WHERE tenant_id = \(tenant.tenantID) AND key_id = \(id)
            """)
        return try rows.first.map(APIKeyRow.key)
    }

    func keys(after: APIKeyID?, limit: Int) async throws -> [APIKey] {
        var conditions: SQL = "tenant_id = \(tenant.tenantID)"
        if let after { conditions = "\(conditions) AND key_id < \(after)" }
        let rows = try await dataPlane.query(
            tenant, as: .identity,
            """
            SELECT \(APIKeyRow.columns) FROM identity.api_keys WHERE \(conditions)
            ORDER BY key_id DESC LIMIT \(limit)
            """)
        return try rows.map(APIKeyRow.key)
    }
}

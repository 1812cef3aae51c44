import Identity
import Kernel
import Postgres

/// How a tenant reads from its table.
enum TenantRow {
    static let columns: SQL =
        "tenant_id, slug, name, sku, region, state, suspension_reason, registered_at, updated_at, version"

    static func tenant(_ row: Row) throws -> Tenant {
        let (id, slug, name, sku, region, state, reason, registered, updated, version) = try row.decode(
            (TenantID, String, String, String, String, String, String?, Timestamp, Timestamp, Int64).self)
        return Tenant(
            restoring: Tenant.Saved(
                id: id, slug: Slug(restoring: slug), name: DisplayText(restoring: name), sku: SKU(restoring: sku),
                region: Region(restoring: region), state: try known(state), suspensionReason: reason,
                registeredAt: registered, updatedAt: updated, version: version))
    }
}

import Kernel
import Logging
import Postgres

/// What the control plane has on record of tenants and places.
struct PlacementRecords: Sendable {
    struct Place: Hashable, Sendable {
        let tier: Tier
        let server: String
        /// As `control.databases` calls it.
        let database: String

        var description: String { "\(tier.rawValue) on server \(server) in database \(database)" }
    }

    struct Tenant: Sendable {
        let id: TenantID
        let slug: String
        let sku: String
        let soldTier: Tier
        let region: String
        let isPending: Bool
        let registeredAt: Timestamp
        let place: Place?
        let isOverride: Bool
        /// The newest decision, and whether a rule made it.
        let decided: (place: Place, byRule: Bool)?
        /// Where the place really is.
        let placement: Placement?
    }

    struct RegisteredDatabase: Sendable {
        let name: String
        let id: DatabaseID
        let siloOf: TenantID?
    }

    let tenants: [Tenant]
    let databases: [RegisteredDatabase]
    /// The region of each server; none where it serves all.
    let regions: [String: String?]

    static func read(_ plane: DataPlane, logger: Logger) async throws -> PlacementRecords {
        try await plane.control(reason: .once("audit where tenants live"), logger: logger) { transaction in
            let tenants = try await transaction.rows(
                """
                SELECT t.tenant_id, t.slug, t.sku, s.tier AS sold, t.region, t.state, t.registered_at, \
                coalesce(p.is_override, false) AS is_override, p.tier, p.server, p.database, \(TenantDirectory.databaseName) AS database_name, \
                r.tier AS decided_tier, r.server AS decided_server, r.database AS decided_database, r.rule
                FROM control.tenants t JOIN control.skus s ON s.code = t.sku
                LEFT JOIN control.placements p USING (tenant_id)
                LEFT JOIN control.databases d ON d.name = p.database
                LEFT JOIN LATERAL (
                    SELECT tier, server, database, rule FROM control.routing_decisions
                    WHERE tenant_id = t.tenant_id ORDER BY decided_at DESC, id DESC LIMIT 1) r ON true
                ORDER BY t.slug
                """)
            let databases = try await transaction.rows(
                """
                SELECT d.name, d.server, \(TenantDirectory.databaseName), d.silo_of FROM control.databases d ORDER BY d.name
                """)
            let servers = try await transaction.rows("SELECT name, region FROM control.servers")
            return PlacementRecords(
                tenants: try tenants.map(Self.tenant),
                databases: try databases.map { row in
                    let (name, server, database, tenant) = try row.decode((String, String, String, TenantID?).self)
                    return RegisteredDatabase(
                        name: name, id: DatabaseID(server: server, name: database), siloOf: tenant)
                },
                regions: Dictionary(
                    uniqueKeysWithValues: try servers.map { try $0.decode((String, String?).self) }.map { ($0.0, $0.1) }
                ))
        }
    }

    private static func tenant(_ row: Row) throws -> Tenant {
        let (id, slug, sku, sold, region, state, registeredAt, isOverride) = try row.decode(
            (TenantID, String, String, String, String, String, Timestamp, Bool).self)
        guard let soldTier = Tier(rawValue: sold) else { throw TenantDirectory.UnreadableDirectory(slug: slug) }
        let place = Self.place(try row.decode("tier"), try row.decode("server"), try row.decode("database"))
        let decided = Self.place(
            try row.decode("decided_tier"), try row.decode("decided_server"), try row.decode("decided_database"))
        let (databaseName, rule): (String?, Int32?) = (try row.decode("database_name"), try row.decode("rule"))
        return Tenant(
            id: id, slug: slug, sku: sku, soldTier: soldTier, region: region, isPending: state == "pending",
            registeredAt: registeredAt, place: place, isOverride: isOverride,
            decided: decided.map { ($0, byRule: rule != nil) },
            placement: place.map {
                Placement(
                    tier: $0.tier, database: DatabaseID(server: $0.server, name: databaseName ?? $0.database), of: id)
            })
    }

    private static func place(_ tier: String?, _ server: String?, _ database: String?) -> Place? {
        guard let tier = tier.flatMap({ Tier(rawValue: $0) }), let server, let database else { return nil }
        return Place(tier: tier, server: server, database: database)
    }
}

package import Kernel
package import Logging
import Postgres

/// Sees to it that each shared database has its pair of canaries: one in the pool, and one on the bridge where somebody
/// lives there. A silo holds one tenant alone, so there is nobody beside whom a canary could be set.
package struct CanaryTenants: Sendable {
    private let dataPlane: DataPlane
    private let directory: TenantDirectory
    private let builder: TenantBuilder
    private let identifiers: IdentifierSource
    private let logger: Logger

    package init(
        dataPlane: DataPlane, directory: TenantDirectory, builder: TenantBuilder,
        identifiers: IdentifierSource = .system, logger: Logger
    ) {
        self.dataPlane = dataPlane
        self.directory = directory
        self.builder = builder
        self.identifiers = identifiers
        self.logger = logger
    }

    /// Makes what is missing; every process may do so at the same time. A pair that can't be made is missing in the
    /// answer and told of in the log.
    package func ensure() async throws -> [CanaryPair] {
        var pairs: [CanaryPair] = []
        for place in try await places() {
            for tier in place.tiers {
                do {
                    pairs.append(try await pair(in: place, tier))
                } catch {
                    logger.error(
                        "a pair of canaries can't be made",
                        metadata: ["database": "\(place.database)", "tier": "\(tier.rawValue)", "error": "\(error)"])
                }
            }
        }
        try await directory.refresh()
        return pairs
    }

    // MARK: Places

    private struct Place {
        /// The control plane's name for it.
        let name: String
        let database: DatabaseID
        let region: String
        let tiers: [Tier]
    }

    private func places() async throws -> [Place] {
        try await dataPlane.control(reason: .routine("look after the canaries"), logger: logger) { transaction in
            try await transaction.rows(
                """
                SELECT d.name, d.server, d.database_name, coalesce(s.region, (SELECT min(code) FROM control.regions)),
                    EXISTS (SELECT FROM control.placements p WHERE p.database = d.name AND p.tier = 'bridge')
                FROM control.databases d JOIN control.servers s ON s.name = d.server
                WHERE d.silo_of IS NULL ORDER BY d.name
                """
            ).map { row in
                let (name, server, database, region, hasBridge) = try row.decode(
                    (String, String, String, String, Bool).self)
                return Place(
                    name: name, database: DatabaseID(server: server, name: database), region: region,
                    tiers: hasBridge ? [.pool, .bridge] : [.pool])
            }
        }
    }

    // MARK: Tenants

    private func pair(in place: Place, _ tier: Tier) async throws -> CanaryPair {
        CanaryPair(
            a: try await tenant("a", in: place, tier), b: try await tenant("b", in: place, tier), placement: tier,
            database: place.database)
    }

    private func tenant(_ letter: String, in place: Place, _ tier: Tier) async throws -> TenantID {
        let slug = "canary-\(tier.rawValue)-\(letter)-\(place.name.replacing("_", with: "-"))"
        let (id, isOpen) = try await reserve(slug, in: place, tier)
        guard !isOpen else { return id }
        try await builder.build(Placement(tier: tier, database: place.database, of: id), of: id)
        try await dataPlane.control(for: context(id), reason: .once("open a canary")) { transaction in
            transaction.enqueue(
                """
                UPDATE control.tenants SET state = 'active', version = version + 1, changed_in = pg_current_xact_id()
                WHERE tenant_id = \(id) AND state = 'pending'
                """)
            transaction.enqueue("SELECT pg_notify(\(TenantDirectory.channel), '')")
        }
        return id
    }

    /// The canary of that slug, and whether it is open: another process may have made it, or begun to.
    private func reserve(_ slug: String, in place: Place, _ tier: Tier) async throws -> (TenantID, isOpen: Bool) {
        if let found = try await find(slug) { return found }
        let id: TenantID = identifiers.next()
        let decision: Identifier<Void> = identifiers.next()
        // What is sold in a tier is not asked: nobody buys a canary, and its place is an override.
        try await dataPlane.control(for: context(id), reason: .once("reserve a canary")) { transaction in
            transaction.enqueue(
                """
                WITH sold AS (
                    SELECT code FROM control.skus WHERE tier = \(tier.rawValue) ORDER BY weight, code LIMIT 1),
                tenant AS (
                    INSERT INTO control.tenants (tenant_id, slug, slug_likeness, name, sku, region, state, is_canary, \
                    registered_at, updated_at, version)
                    SELECT \(id), \(slug), \(slug), 'Canary', code, \(place.region), 'pending', true, now(), now(), 1
                    FROM sold ON CONFLICT DO NOTHING RETURNING sku)
                INSERT INTO control.routing_decisions (id, tenant_id, slug, sku, region, tier, server, database, reason, \
                actor, decided_at)
                SELECT \(decision), \(id), \(slug), sku, \(place.region), \(tier.rawValue), \
                \(place.database.server), \(place.name), 'watches over the fences of its database', 'canaries', now()
                FROM tenant
                """)
            transaction.enqueue(
                """
                INSERT INTO control.placements (tenant_id, tier, server, database, is_override, decided_at)
                SELECT tenant_id, \(tier.rawValue), \(place.database.server), \(place.name), true, now()
                FROM control.tenants WHERE tenant_id = \(id)
                """)
        }
        guard let found = try await find(slug) else { throw BlindCanary("no SKU is sold in the tier \(tier.rawValue)") }
        return found
    }

    private func find(_ slug: String) async throws -> (TenantID, isOpen: Bool)? {
        try await dataPlane.control(reason: .routine("look after the canaries"), logger: logger) { transaction in
            try await transaction.rows(
                "SELECT tenant_id, state FROM control.tenants WHERE slug = \(slug) AND is_canary"
            ).first.map { row in
                let (id, state) = try row.decode((TenantID, String).self)
                return (id, state == "active")
            }
        }
    }

    private func context(_ tenant: TenantID) -> TenantContext {
        .canary(tenant, logger)
    }
}

extension TenantContext {
    package static func canary(_ tenant: TenantID, _ logger: Logger) -> TenantContext {
        TenantContext(tenantID: tenant, actor: .reaction("canary"), correlation: .new(), logger: logger)
    }
}

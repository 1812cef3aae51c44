package import Kernel

/// What is sold, where data can live, and the rules that bring the two together: all of it data of the control plane.
package struct PlacementPolicy: Sendable {
    package struct Rule: Hashable, Sendable {
        package let number: Int
        /// A `nil` fits everything.
        package let sku: String?
        package let region: String?
        package let tier: Tier
        /// A `nil` leaves the choice among the servers of the tenant's region.
        package let server: String?
        package let reason: String

        package init(number: Int, sku: String?, region: String?, tier: Tier, server: String?, reason: String) {
            self.number = number
            self.sku = sku
            self.region = region
            self.tier = tier
            self.server = server
            self.reason = reason
        }
    }

    package struct Server: Hashable, Sendable {
        package let name: String
        /// A `nil` serves every region.
        package let region: String?
        /// The databases on it that tenants share, and how many of them live in each.
        package let shared: [String: Int]

        package init(name: String, region: String?, shared: [String: Int]) {
            self.name = name
            self.region = region
            self.shared = shared
        }
    }

    package let skus: Set<String>
    package let regions: Set<String>
    package let rules: [Rule]
    package let servers: [Server]

    package init(skus: Set<String>, regions: Set<String>, rules: [Rule], servers: [Server]) {
        self.skus = skus
        self.regions = regions
        self.rules = rules
        self.servers = servers
    }

    /// Where the tenant is to live: as told, or by the first rule that fits.
    package func place(_ tenant: Tenant, as override: PlacementOverride?) throws(IdentityError) -> PlacementDecision {
        guard skus.contains(tenant.sku.code) else { throw .unknownSKU(tenant.sku, sold: skus.sorted()) }
        guard regions.contains(tenant.region.code) else { throw .unknownRegion(tenant.region, open: regions.sorted()) }
        if let override {
            return try decision(
                for: tenant, override.tier, on: override.server, rule: nil, because: override.reason.text)
        }
        let rule = rules.sorted { $0.number < $1.number }.first {
            ($0.sku ?? tenant.sku.code) == tenant.sku.code && ($0.region ?? tenant.region.code) == tenant.region.code
        }
        guard let rule else {
            throw .noPlace(reason: "no placement rule fits SKU \(tenant.sku.code) in region \(tenant.region.code)")
        }
        return try decision(for: tenant, rule.tier, on: rule.server, rule: rule.number, because: rule.reason)
    }

    private func decision(
        for tenant: Tenant, _ tier: Tier, on wanted: String?, rule: Int?, because reason: String
    ) throws(IdentityError) -> PlacementDecision {
        let near = servers.filter { $0.region == nil || $0.region == tenant.region.code }
        let named = near.filter { wanted == nil || $0.name == wanted }
        guard !named.isEmpty else {
            throw .noPlace(
                reason: wanted.map { "server \($0) is not open in region \(tenant.region.code)" }
                    ?? "no server is open in region \(tenant.region.code)")
        }
        // A server in the region goes before one that serves any region; of equals, the one with fewest tenants.
        let ranked = named.sorted { left, right in
            if (left.region == nil) != (right.region == nil) { return right.region == nil }
            let (few, many) = (left.shared.values.min() ?? 0, right.shared.values.min() ?? 0)
            return few == many ? left.name < right.name : few < many
        }
        switch tier {
        case .silo:
            return PlacementDecision(
                tier: tier, server: ranked[0].name, database: Self.silo(of: tenant.id), rule: rule, reason: reason)
        case .pool, .bridge:
            let shared = ranked.lazy.compactMap { server in
                server.shared.min { ($0.value, $0.key) < ($1.value, $1.key) }.map { (server.name, $0.key) }
            }
            guard let (server, database) = shared.first else {
                throw .noPlace(reason: "no server of region \(tenant.region.code) has a database that tenants share")
            }
            return PlacementDecision(tier: tier, server: server, database: database, rule: rule, reason: reason)
        }
    }

    /// The name of the database that a tenant has to itself.
    package static func silo(of tenant: TenantID) -> String {
        "atrium_t" + tenant.description.replacing("-", with: "")
    }
}

/// Where the operator wants a tenant to live, whatever the rules say.
package struct PlacementOverride: Hashable, Sendable {
    package let tier: Tier
    package let server: String?
    package let reason: DisplayText

    package init(tier: Tier, server: String?, reason: DisplayText) {
        self.tier = tier
        self.server = server
        self.reason = reason
    }
}

/// Where a tenant lives, and why.
package struct PlacementDecision: Hashable, Sendable {
    package let tier: Tier
    package let server: String
    package let database: String
    /// The rule that decided; `nil` where a person did.
    package let rule: Int?
    package let reason: String

    package init(tier: Tier, server: String, database: String, rule: Int?, reason: String) {
        self.tier = tier
        self.server = server
        self.database = database
        self.rule = rule
        self.reason = reason
    }
}

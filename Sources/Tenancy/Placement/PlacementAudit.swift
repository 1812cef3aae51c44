package import Kernel
package import Logging
import Postgres

/// Compares what was sold and decided with where each tenant's data really is.
///
/// Rows are looked for in every database for every tenant, so it takes time in proportion to one times the other.
package struct PlacementAudit: Sendable {
    let plane: DataPlane
    let contexts: [ContextRole]
    let logger: Logger
    private let files: MigrationFiles
    /// How long the making of a tenant may take.
    private static let patience = Duration.seconds(3600)

    /// - Parameter contexts: the roles that see a tenant's own tables.
    package init(plane: DataPlane, files: MigrationFiles, contexts: [ContextRole], logger: Logger) {
        self.plane = plane
        self.files = files
        self.contexts = contexts
        self.logger = logger
    }

    /// - Parameter slug: of the one tenant to look at, debris aside; `nil` looks at everything.
    /// - Throws: `UnknownSlug`.
    package func run(only slug: String? = nil, at now: Timestamp = WallClock.system.now()) async throws
        -> [PlacementFinding]
    {
        let before = try await PlacementRecords.read(plane, logger: logger)
        let audited = before.tenants.filter { slug == nil || $0.slug == slug }
        if let slug, audited.isEmpty { throw UnknownSlug(slug: slug) }
        let catalogue = try await PlaceCatalogue.read(
            before.databases.map(\.id), servers: Set(before.regions.keys).union(plane.fleet.serverNames).sorted(),
            fleet: plane.fleet, logger: logger)
        // Read again, so that what was begun meanwhile is no debris and what was finished meanwhile is not late.
        let after = try await PlacementRecords.read(plane, logger: logger)

        var findings: [PlacementFinding] = []
        for tenant in audited {
            findings += contradictions(tenant, before)
            if tenant.isPending {
                findings += lateness(after.tenants.first { $0.id == tenant.id && $0.isPending }, now)
            } else {
                findings += absences(tenant, before, catalogue)
            }
        }
        for (database, contents) in catalogue.databases.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            findings += try await strayRows(of: audited, in: database, contents)
        }
        if slug == nil { findings += debris(before, after, catalogue) }
        return findings
    }

    // MARK: What is on record

    private func contradictions(
        _ tenant: PlacementRecords.Tenant, _ records: PlacementRecords
    ) -> [PlacementFinding] {
        guard let place = tenant.place else {
            return [
                finding(
                    tenant, "a placement", "none in control.placements",
                    "look in `atrium tenants decisions` where it should live, and record that")
            ]
        }
        var findings: [PlacementFinding] = []
        if !tenant.isOverride, place.tier != tenant.soldTier {
            findings.append(
                finding(
                    tenant, "tier \(tenant.soldTier.rawValue), which SKU \(tenant.sku) is sold with",
                    "tier \(place.tier.rawValue), and no override is recorded",
                    "move the tenant, change its SKU, or record the override with its reason"))
        }
        if let decided = tenant.decided {
            if decided.place != place {
                findings.append(
                    finding(
                        tenant, "\(decided.place.description), as was decided last", place.description,
                        "move the tenant, or record the decision that put it there"))
            }
            if tenant.isOverride, decided.byRule {
                findings.append(
                    finding(
                        tenant, "the decision of a person, since its placement is an override",
                        "a rule's decision as the newest", "record who overrode the rule, and why"))
            }
        } else {
            findings.append(
                finding(
                    tenant, "a decision why it lives in \(place.description)", "none in control.routing_decisions",
                    "record it"))
        }
        if case .some(.some(let region)) = records.regions[place.server], region != tenant.region {
            findings.append(
                finding(
                    tenant, "a server in region \(tenant.region)", "server \(place.server) in region \(region)",
                    "move the tenant"))
        }
        return findings
    }

    private func lateness(_ tenant: PlacementRecords.Tenant?, _ now: Timestamp) -> [PlacementFinding] {
        guard let tenant, now.duration(since: tenant.registeredAt) > Self.patience else { return [] }
        return [
            finding(
                tenant, "to be open within the hour", "pending since \(tenant.registeredAt)",
                "repeat the request with its Idempotency-Key, or `atrium tenants abandon \(tenant.slug)`")
        ]
    }

    // MARK: What is there

    private func absences(
        _ tenant: PlacementRecords.Tenant, _ records: PlacementRecords, _ catalogue: PlaceCatalogue
    ) -> [PlacementFinding] {
        guard let place = tenant.place, let placement = tenant.placement else { return [] }
        var findings: [PlacementFinding] = []
        let registered = records.databases.first { $0.name == place.database && $0.id.server == place.server }
        let owner = placement.tier == .silo ? tenant.id : nil
        if registered == nil || registered?.siloOf != owner {
            findings.append(
                finding(
                    tenant, owner == nil ? "a database that tenants share" : "a database of its own",
                    registered == nil
                        ? "\(place.database), which is not in control.databases"
                        : "\(place.database), which is \(owner == nil ? "one tenant's alone" : "not its own")",
                    "correct control.databases or the placement"))
        }
        guard let names = catalogue.names[placement.database.server],
            catalogue.unknown["database \(placement.database)"] == nil
        else { return findings }
        guard names.contains(placement.database.name) else {
            return findings + [
                finding(
                    tenant, "database \(placement.database)", "no such database on the server",
                    "restore it from a backup")
            ]
        }
        guard let contents = catalogue.databases[placement.database] else { return findings }
        for scope in files.contexts + (placement.tier == .bridge ? [] : [MigrationFiles.platform]) {
            let schema = scope == MigrationFiles.platform ? scope : placement.schemas.name(of: scope)
            guard let lack = lack(of: schema, contents) else { continue }
            findings.append(
                finding(
                    tenant, "schema \(schema) in \(placement.database), complete", lack,
                    contents.schemas.contains(schema)
                        ? "run `atrium migrate`" : "restore it from a backup"))
        }
        return findings
    }

    private func lack(of schema: String, _ contents: PlaceCatalogue.Database) -> String? {
        guard contents.schemas.contains(schema) else { return "no such schema" }
        do {
            let missing = try SchemaFiles(schema, files).missing(contents.known[schema] ?? [])
            return missing.isEmpty ? nil : "one without \(missing.map(\.path).joined(separator: ", "))"
        } catch {
            return "\(error)"
        }
    }

    private func finding(
        _ tenant: PlacementRecords.Tenant, _ expected: String, _ found: String, _ remedy: String
    ) -> PlacementFinding {
        PlacementFinding(tenant: tenant.slug, expected: expected, found: found, remedy: remedy)
    }
}

/// No tenant goes by this slug.
package struct UnknownSlug: Error, Hashable, CustomStringConvertible {
    package let slug: String

    package init(slug: String) {
        self.slug = slug
    }

    package var description: String { "there is no tenant \(slug); `atrium tenants list` shows those that there are" }
}

package import Kernel
import Postgres

/// Something that is not where it should be, or is and should not.
package struct PlacementFinding: Hashable, Sendable {
    /// Its slug; `nil` where there is no tenant to it.
    package let tenant: String?
    package let expected: String
    package let found: String
    package let remedy: String

    package var json: JSON {
        [
            "tenant": tenant.map { .string($0) } ?? .null, "expected": .string(expected), "found": .string(found),
            "remedy": .string(remedy),
        ]
    }
}

extension PlacementFinding: CustomStringConvertible {
    package var description: String {
        "\(tenant ?? "-"): expected \(expected); found \(found); \(remedy)"
    }
}

/// What nobody owns (any more), and what is on record and not there.
extension PlacementAudit {
    func debris(
        _ before: PlacementRecords, _ after: PlacementRecords, _ catalogue: PlaceCatalogue
    ) -> [PlacementFinding] {
        // Who came or went while the catalogues were read is in one of the two.
        let tenants = before.tenants + after.tenants
        return unreachable(catalogue) + absent(before, catalogue) + orphaned(after, tenants)
            + schemas(tenants, catalogue) + databases(tenants, catalogue)
    }

    private func unreachable(_ catalogue: PlaceCatalogue) -> [PlacementFinding] {
        catalogue.unknown.sorted { $0.key < $1.key }.map { place, reason in
            PlacementFinding(
                tenant: nil, expected: "\(place) to answer", found: reason, remedy: "mend that and audit again")
        }
    }

    private func absent(_ records: PlacementRecords, _ catalogue: PlaceCatalogue) -> [PlacementFinding] {
        records.databases.compactMap { database in
            guard let names = catalogue.names[database.id.server], !names.contains(database.id.name) else { return nil }
            return PlacementFinding(
                tenant: nil, expected: "database \(database.id), which is registered as \(database.name)",
                found: "no such database on the server",
                remedy: "restore it from a backup, or take it out of control.databases")
        }
    }

    private func orphaned(
        _ records: PlacementRecords, _ tenants: [PlacementRecords.Tenant]
    ) -> [PlacementFinding] {
        records.databases.compactMap { database in
            guard let owner = database.siloOf,
                !tenants.contains(where: { $0.id == owner && $0.placement?.database == database.id })
            else { return nil }
            return PlacementFinding(
                tenant: nil, expected: "a tenant \(owner) that lives in \(database.id), which is registered as its own",
                found: "none",
                remedy: "look what is in it, drop it, and take \(database.name) out of control.databases")
        }
    }

    private func schemas(_ tenants: [PlacementRecords.Tenant], _ catalogue: PlaceCatalogue) -> [PlacementFinding] {
        var findings: [PlacementFinding] = []
        for (database, contents) in catalogue.databases.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            let homes = Set(
                tenants.compactMap { $0.placement }.filter { $0.database == database }.compactMap(\.schemas.suffix))
            for schema in contents.schemas.sorted() {
                let parts = schema.split(separator: "__", maxSplits: 1).map(String.init)
                guard parts.count == 2, TenantSchemas.isSuffix(parts[1]), !homes.contains(parts[1]) else { continue }
                findings.append(
                    PlacementFinding(
                        tenant: nil, expected: "a tenant on the bridge in \(database) for schema \(schema)",
                        found: "none", remedy: "look what is in it, then DROP SCHEMA \(schema) CASCADE"))
            }
        }
        return findings
    }

    private func databases(_ tenants: [PlacementRecords.Tenant], _ catalogue: PlaceCatalogue) -> [PlacementFinding] {
        let homes = Set(tenants.compactMap { $0.placement?.database })
        var findings: [PlacementFinding] = []
        for (server, names) in catalogue.names.sorted(by: { $0.key < $1.key }) {
            for name in names.sorted() where name.hasPrefix("atrium_") {
                let database = DatabaseID(server: server, name: name)
                guard TenantSchemas.isSuffix(String(name.dropFirst("atrium_".count))), !homes.contains(database) else {
                    continue
                }
                findings.append(
                    PlacementFinding(
                        tenant: nil, expected: "a tenant in a silo for database \(database)", found: "none",
                        remedy: "look what is in it, then DROP DATABASE \(name)"))
            }
        }
        return findings
    }
}

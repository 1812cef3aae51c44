import Kernel
import Postgres

/// Looks for rows of tenants where they do not live, with the eyes of each tenant itself.
extension PlacementAudit {
    /// Locks are taken on every table of a statement, and a server has room for some thousands.
    private static var tablesAtOnce: Int { 200 }
    private static var tenantsAtOnce: Int { 8 }
    /// How far rows are counted: it is the first that matters.
    private static var enough: Int { 1000 }

    func strayRows(
        of tenants: [PlacementRecords.Tenant], in database: DatabaseID, _ contents: PlaceCatalogue.Database
    ) async throws -> [PlacementFinding] {
        try await withThrowingTaskGroup(of: [PlacementFinding].self) { group in
            var waiting = tenants.makeIterator()
            var findings: [PlacementFinding] = []
            for _ in 0..<Self.tenantsAtOnce {
                guard let tenant = waiting.next() else { break }
                group.addTask { try await self.strayRows(of: tenant, in: database, contents) }
            }
            while let found = try await group.next() {
                findings += found
                if let tenant = waiting.next() {
                    group.addTask { try await self.strayRows(of: tenant, in: database, contents) }
                }
            }
            return findings
        }
    }

    private func strayRows(
        of tenant: PlacementRecords.Tenant, in database: DatabaseID, _ contents: PlaceCatalogue.Database
    ) async throws -> [PlacementFinding] {
        let context = TenantContext(tenantID: tenant.id, actor: .operator, correlation: .new(), logger: logger)
        // No schema is put in place of another: each is named as it is.
        let anywhere = Placement(tier: .pool, database: database, of: tenant.id)
        var findings: [PlacementFinding] = []
        for role in contexts {
            let tables = contents.tables
                .filter { TenantSchemas.scope(of: $0.key) == role.schema }
                .flatMap { schema, tables in tables.map { (schema: schema, table: $0) } }
                .filter { !isAtHome(tenant, in: database, schema: $0.schema, table: $0.table) }
                .sorted { $0 < $1 }
            for start in stride(from: 0, to: tables.count, by: Self.tablesAtOnce) {
                let some = tables[start..<min(start + Self.tablesAtOnce, tables.count)]
                let rows = try await plane.query(
                    context, as: role, at: anywhere, Self.counting(some.map { ($0.schema, $0.table) }, of: tenant.id))
                for row in rows {
                    let (table, count) = try row.decode((String, Int64).self)
                    findings.append(stray(tenant, count, in: "\(database)", table))
                }
            }
        }
        return findings
    }

    private func isAtHome(
        _ tenant: PlacementRecords.Tenant, in database: DatabaseID, schema: String, table: String
    ) -> Bool {
        guard let placement = tenant.placement, placement.database == database else { return false }
        let context = TenantSchemas.scope(of: schema)
        return schema == placement.schemas.name(of: context)
            || schema == context && SchemaSet.shared.contains(table)
    }

    private static func counting(_ tables: [(schema: String, table: String)], of tenant: TenantID) -> SQL {
        var union: SQL = ""
        for (index, place) in tables.enumerated() {
            let branch: SQL = """
                SELECT \("\(place.schema).\(place.table)")::text AS place, (SELECT count(*) FROM (
                    SELECT FROM \(identifier: place.schema).\(identifier: place.table)
                    WHERE tenant_id = \(tenant) LIMIT \(Int64(enough))) AS first) AS rows
                """
            union = index == 0 ? branch : "\(union) UNION ALL \(branch)"
        }
        return "SELECT place, rows FROM (\(union)) AS counted WHERE rows > 0"
    }

    private func stray(
        _ tenant: PlacementRecords.Tenant, _ count: Int64, in database: String, _ table: String
    ) -> PlacementFinding {
        PlacementFinding(
            tenant: tenant.slug, expected: "rows in \(tenant.place?.description ?? "no place") alone",
            found: count < Self.enough
                ? "\(count) in \(database), \(table)" : "\(count) or more in \(database), \(table)",
            remedy: "find out who wrote them, then move them to where the tenant lives or delete them")
    }
}

import Postgres

/// Where databases are not what the files make: files that are missing, changed or unknown, and whatever else somebody
/// has changed in a schema.
package struct DriftCheck: Sendable {
    package struct Finding: Hashable, Sendable, CustomStringConvertible {
        package let database: String
        package let difference: String

        package var description: String { "\(database): \(difference)" }
    }

    private let fleet: FleetMigrator

    package init(_ fleet: FleetMigrator) {
        self.fleet = fleet
    }

    /// Compares tenants' own schemas with the base schemas of their database, and those with a database that the files
    /// have just made: a copy of the silos' template on the server of the first database.
    ///
    /// - Returns: nothing where everything is as it should be.
    package func run(
        _ databases: [FleetMigrator.Database], template: SiloTemplate? = nil
    ) async -> [Finding] {
        var findings: [Finding] = []
        var model: [String: SchemaComparison.Facts]?
        if let template, let first = databases.first {
            do {
                model = try await template.withCopy(administrator: first.administrator) { settings in
                    try await PostgresConnection.with(settings, logger: fleet.logger) {
                        try await CatalogueFacts($0, of: fleet.files.baseSchemas(control: false)).schemas
                    }
                }
            } catch {
                findings.append(Finding(database: template.name, difference: "can't be compared with: \(error)"))
            }
        }
        let results = await fleet.eachOf(databases) { await look(at: $0) }
        let first = results.first(where: { $0.facts != nil })?.facts
        for (database, result) in zip(databases, results) {
            var differences = result.differences
            if let facts = result.facts, let wanted = model ?? first {
                let place = model == nil ? " of \(databases[0].name)" : " as the files make it"
                differences += fleet.files.baseSchemas(control: false).flatMap { schema in
                    SchemaComparison(schema: schema, model: schema, place: place)
                        .differences(Self.common(facts[schema] ?? [:]), from: Self.common(wanted[schema] ?? [:]))
                }
            }
            findings += differences.map { Finding(database: database.name, difference: $0) }
        }
        return findings
    }

    /// The control plane's roles have rights on the platform's schema where the control plane is, and nowhere else; the
    /// guard looks at these.
    private static func common(_ facts: SchemaComparison.Facts) -> SchemaComparison.Facts {
        facts.filter { key, _ in
            !["policy control_", "rights of control_"].contains(where: key.aspect.hasPrefix)
        }
    }

    private struct Look: Sendable {
        var differences: [String] = []
        /// Of the base schemas.
        var facts: [String: SchemaComparison.Facts]?
    }

    private func look(at database: FleetMigrator.Database) async -> Look {
        var look = Look()
        do {
            try await PostgresConnection.with(database.administrator, logger: fleet.logger) { connection in
                look.differences = try await fleet.status(of: database, on: connection).flatMap { schema in
                    schema.failure.map { ["\($0)"] }
                        ?? schema.pending.map { "\(schema.schema): \($0.path) has not been applied" }
                }
                let tenants = try await TenantSchemas.suffixes(on: connection)
                let own = tenants.flatMap { TenantSchemas(fleet.files).schemas($0) }
                let base = fleet.files.baseSchemas(control: false)
                let facts = try await CatalogueFacts(connection, of: base + own).schemas
                look.facts = facts.filter { base.contains($0.key) }
                for schema in own {
                    let context = TenantSchemas.scope(of: schema)
                    look.differences += SchemaComparison(schema: schema, model: context).differences(
                        facts[schema] ?? [:], from: OwnSchema(schema).expectation(facts[context] ?? [:]))
                }
            }
        } catch let error as PostgresError where error.sqlState == "3D000" && database.isSilo {
            // Its tenant is still being made.
        } catch {
            look.differences.append("can't be looked at: \(error)")
        }
        return look
    }
}

/// A schema of one tenant's own, beside the base schema that it is made after.
private struct OwnSchema {
    private let tenant: String

    init(_ schema: String) {
        let digits = Array(schema.suffix(32))
        tenant = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }

    /// Without the backbone's tables and the rights of those who work on them, and closed to rows of other tenants.
    func expectation(_ base: SchemaComparison.Facts) -> SchemaComparison.Facts {
        var wanted = base.filter { key, _ in
            !SchemaSet.shared.contains(key.object) && !Self.backbone.contains(key.object)
                && !(key.object.isEmpty && key.aspect.hasSuffix("_worker"))
        }
        for key in base.keys where key.aspect == "policy tenant_isolation" && wanted[key] != nil {
            wanted[CatalogueFacts.Key(object: key.object, aspect: "constraint own_tenant")] =
                "CHECK ((tenant_id = '\(tenant)'::uuid))"
        }
        return wanted
    }

    /// Sequences and functions that go with the backbone's tables.
    private static let backbone: Set<String> = [
        "outbox_position_seq", "extend_outbox(days integer)", "shorten_outbox(retention interval)",
        "dead_letters_place_seq", "extend_inbox(days integer)", "shorten_inbox(before timestamp with time zone)",
    ]
}

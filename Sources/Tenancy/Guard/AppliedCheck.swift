import Postgres

/// Whether every schema has the files of this version, and no others.
struct AppliedCheck {
    let files: MigrationFiles
    let isControl: Bool

    func findings(_ connection: PostgresConnection, _ deadline: ContinuousClock.Instant) async throws -> [String] {
        let results = try await connection.run(
            [
                """
                SELECT schema_name, number, checksum FROM atrium_migrations.applied
                ORDER BY position('__' IN schema_name) > 0, schema_name, number
                """,
                "SELECT n.nspname::text FROM pg_namespace n WHERE n.nspname ~ '^[a-z][a-z0-9_]*__t[0-9a-f]{32}$'",
            ], deadline: deadline)
        let known = try SchemaFiles.known(results[0])
        let suffixes = Set(try results[1].map { try String($0.decode(String.self).suffix(33)) })
        let expected =
            files.baseSchemas(control: isControl)
            + suffixes.sorted().flatMap { TenantSchemas(files).schemas($0) }
        var missing: [String: [String]] = [:]
        var changed: [String: [String]] = [:]
        for schema in expected.map({ SchemaFiles($0, files) }) {
            let found = known[schema.schema] ?? []
            for file in schema.files {
                switch found.first(where: { $0.number == file.number })?.checksum {
                case nil: missing[file.path, default: []].append(schema.schema)
                case file.checksum: break
                default: changed[file.path, default: []].append(schema.schema)
                }
            }
        }
        var unknown: [String: [String]] = [:]
        for (schema, migrations) in known.sorted(by: { $0.key < $1.key }) {
            let scope = TenantSchemas.scope(of: schema)
            for migration in migrations.sorted(by: { $0.number < $1.number })
            where !files.files(of: scope).contains(where: { $0.number == migration.number }) {
                unknown["\(scope)/\(migration.number)", default: []].append(schema)
            }
        }
        return missing.sorted { $0.key < $1.key }.map {
            "migration \($0) has not been applied to \(Self.named($1)); run `atrium migrate`"
        }
            + changed.sorted { $0.key < $1.key }.map { "\(MigrationError.changed($0)) (in \(Self.named($1)))" }
            + unknown.sorted { $0.key < $1.key }.map { "\(MigrationError.unknown($0)) (in \(Self.named($1)))" }
    }

    private static func named(_ schemas: [String]) -> String {
        schemas.prefix(3).joined(separator: ", ") + (schemas.count > 3 ? " and \(schemas.count - 3) more schemas" : "")
    }
}

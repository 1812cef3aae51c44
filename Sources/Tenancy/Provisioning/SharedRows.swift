import Kernel
import Logging
import Postgres

/// What a tenant has in tables that it shares with others: nothing but the signed context tells those rows from theirs.
struct SharedRows: Sendable {
    let fleet: DatabaseFleet
    let files: MigrationFiles
    let signer: ContextSigner
    let logger: Logger

    /// Deletes all of them in one statement, for which the order of foreign keys does not matter. Only for a tenant that
    /// was never open: what others were told of would stay.
    func delete(of tenant: TenantID, in database: DatabaseID) async throws {
        guard var settings = try fleet.settings(of: database.server).provisioner else {
            throw NoProvisioner(server: database.server)
        }
        settings.database = database.name
        let until = ContinuousClock.now + .seconds(30)
        let connection = try await PostgresConnection.connect(settings, logger: logger, deadline: until)
        defer { connection.close() }
        let entrance = signer.entering("atrium_owner", for: tenant, on: connection)
        let tables = try await connection.flight(
            [.begin] + entrance + [Statement(Self.tables(files.contexts), prepare: false)], deadline: until
        )[entrance.count + 1].map { try $0.decode((String, String).self) }
        guard !tables.isEmpty else { return }
        var deletions: SQL = ""
        for (index, (schema, table)) in tables.enumerated() {
            let part: SQL = """
                part\(unsafeSQL: String(index)) AS (
                    DELETE FROM \(identifier: schema).\(identifier: table) WHERE tenant_id = \(tenant))
                """
            deletions = index == 0 ? part : "\(deletions), \(part)"
        }
        _ = try await connection.flight(
            [Statement("WITH \(deletions) SELECT", prepare: false), .commit], deadline: until)
    }

    private static func tables(_ contexts: [String]) -> SQL {
        """
        SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY (\(contexts)) AND EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
        ORDER BY 1, 2
        """
    }
}

import Kernel
import Logging
import Postgres

/// What is really there on the servers, as their catalogues have it.
struct PlaceCatalogue: Sendable {
    struct Database: Sendable {
        let schemas: Set<String>
        /// Files that each schema has.
        let known: [String: Set<KnownMigration>]
        /// Tenant tables that their context's role may read, by schema.
        let tables: [String: [String]]
    }

    /// The databases of each server that could be asked.
    var names: [String: Set<String>] = [:]
    var databases: [DatabaseID: Database] = [:]
    /// Servers and databases that could not be looked at, and why.
    var unknown: [String: String] = [:]

    static func read(
        _ wanted: [DatabaseID], servers: [String], fleet: DatabaseFleet, logger: Logger
    ) async throws -> PlaceCatalogue {
        var catalogue = PlaceCatalogue()
        for server in servers {
            do {
                let rows = try await look(at: fleet.settings(of: server).primary, logger, [names])[0]
                catalogue.names[server] = Set(try rows.map { try $0.decode(String.self) })
            } catch {
                try Task.checkCancellation()
                catalogue.unknown["server \(server)"] = "\(error)"
            }
        }
        for database in wanted where catalogue.names[database.server]?.contains(database.name) == true {
            do {
                var settings = try fleet.settings(of: database.server).primary
                settings.database = database.name
                catalogue.databases[database] = try await contents(of: settings, logger)
            } catch {
                try Task.checkCancellation()
                catalogue.unknown["database \(database)"] = "\(error)"
            }
        }
        return catalogue
    }

    private static func contents(of settings: ConnectionSettings, _ logger: Logger) async throws -> Database {
        let results = try await look(at: settings, logger, [schemas, tables, migrated])
        let isMigrated = try results[2][0].decode(Bool.self)
        let known = isMigrated ? try await look(at: settings, logger, [applied])[0] : nil
        var tables: [String: [String]] = [:]
        for row in results[1] {
            let (schema, table) = try row.decode((String, String).self)
            tables[schema, default: []].append(table)
        }
        return Database(
            schemas: Set(try results[0].map { try $0.decode(String.self) }),
            known: try known.map { try SchemaFiles.known($0) } ?? [:], tables: tables)
    }

    /// Over a connection of its own: a pool for each of thousands of databases would outlive the look.
    private static func look(
        at settings: ConnectionSettings, _ logger: Logger, _ questions: [SQL]
    ) async throws -> [Rows] {
        let until = ContinuousClock.now + .seconds(15)
        let connection = try await PostgresConnection.connect(settings, logger: logger, deadline: until)
        defer { connection.close() }
        return try await connection.run(questions, deadline: until)
    }

    private static let names: SQL = "SELECT datname::text FROM pg_database"
    private static let schemas: SQL = "SELECT nspname::text FROM pg_namespace"
    private static let migrated: SQL = "SELECT to_regclass('atrium_migrations.applied') IS NOT NULL"
    private static let applied: SQL = "SELECT schema_name, number, checksum FROM atrium_migrations.applied"
    private static let tables: SQL = """
        SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_roles r ON r.rolname = split_part(n.nspname, '__', 1) || '_app'
        WHERE c.relkind IN ('r', 'p') AND has_table_privilege(r.oid, c.oid, 'SELECT') AND EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
        ORDER BY 1, 2
        """
}

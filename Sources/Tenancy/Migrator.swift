import Foundation
import Kernel
package import Logging
package import Postgres

/// Brings a database to the shape that this version needs; safe to run again and from several processes at once.
package struct Migrator: Sendable {
    private let files: MigrationFiles
    private let settings: ConnectionSettings
    private let logger: Logger

    /// - Parameter administrator: a login that may create roles and owns the database.
    package init(_ files: MigrationFiles, administrator settings: ConnectionSettings, logger: Logger) {
        self.files = files
        self.settings = settings
        self.logger = logger
    }

    /// Answers the files that were applied now. Each file is one transaction: what has failed has changed nothing.
    @discardableResult
    package func run() async throws -> [MigrationFiles.File] {
        let connection = try await PostgresConnection.connect(settings, logger: logger)
        do {
            let applied = try await run(on: connection)
            connection.close()
            return applied
        } catch {
            connection.close()
            throw error
        }
    }

    private func run(on connection: PostgresConnection) async throws -> [MigrationFiles.File] {
        func fly(_ statements: [SQL]) async throws -> [Rows] {
            try await connection.flight(statements.map { Statement($0, prepare: false) }, deadline: nil)
        }
        // One migration of a database at a time. Roles belong to the cluster, which this lock does not cover.
        _ = try await fly(["SELECT pg_advisory_lock(hashtext('atrium.migrations'))"])
        _ = try await fly([Self.scriptRunner])
        try await inTurnAcrossDatabases { _ = try await fly(["SELECT pg_temp.run_script(\(files.roles))"]) }
        _ = try await fly(["SELECT pg_temp.run_script(\(Self.preparation))"])
        let known = try await fly(["SELECT context, number, checksum FROM atrium_migrations.applied"])[0].map {
            try $0.decode((String, Int32, String).self)
        }
        for (context, number, checksum) in known {
            guard let file = files.files.first(where: { $0.context == context && $0.number == Int(number) }) else {
                throw MigrationError.unknown("\(context)/\(number)")
            }
            guard file.checksum == checksum else { throw MigrationError.changed("\(context)/\(file.name)") }
        }
        let missing = files.files.filter { file in
            !known.contains { $0.0 == file.context && Int($0.1) == file.number }
        }
        for file in missing {
            do {
                _ = try await fly([
                    "BEGIN",
                    "SET LOCAL ROLE atrium_owner",
                    "SELECT pg_temp.run_script(\(file.sql))",
                    """
                    INSERT INTO atrium_migrations.applied (context, number, name, checksum)
                    VALUES (\(file.context), \(Int32(file.number)), \(file.name), \(file.checksum))
                    """,
                    "COMMIT",
                ])
            } catch {
                _ = try? await fly(["ROLLBACK"])
                throw MigrationError.failed(
                    "\(file.context)/\(file.name)", because: (error as? PostgresError)?.debugDescription ?? "\(error)")
            }
            logger.info("migration applied", metadata: ["file": "\(file.context)/\(file.name)"])
        }
        return missing
    }

    /// Concurrent changes of the same role fail in the server with "tuple concurrently updated": such a try is repeated.
    private func inTurnAcrossDatabases(_ body: () async throws -> Void) async throws {
        var tries = 0
        while true {
            do {
                return try await body()
            } catch let error as PostgresError where tries < 20 && ["XX000", "23505", "42710"].contains(error.sqlState)
            {
                tries += 1
                try await Task.sleep(for: .milliseconds(Int.random(in: 5...50)))
            }
        }
    }

    /// Files hold many statements, which the extended protocol takes one by one: the server runs a file from a string.
    private static let scriptRunner: SQL = """
        CREATE OR REPLACE FUNCTION pg_temp.run_script(script text) RETURNS void LANGUAGE plpgsql
        AS 'BEGIN EXECUTE script; END'
        """

    private static let preparation = """
        DO $$
        BEGIN
            -- An expression smuggled into a query could change the tenant or the role with it; SET LOCAL, which the
            -- server uses, is a statement of its own. Only a superuser may take the function away.
            IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
                REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;
            ELSE
                RAISE WARNING 'set_config stays open to everyone; have a superuser revoke EXECUTE on it from PUBLIC';
            END IF;
            EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO atrium_app', current_database());
            EXECUTE format('GRANT CREATE ON DATABASE %I TO atrium_owner', current_database());
        END $$;
        CREATE SCHEMA IF NOT EXISTS atrium_migrations AUTHORIZATION atrium_owner;
        CREATE TABLE IF NOT EXISTS atrium_migrations.applied (
            context text NOT NULL,
            number int NOT NULL,
            name text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (context, number)
        );
        ALTER TABLE atrium_migrations.applied OWNER TO atrium_owner;
        GRANT USAGE ON SCHEMA atrium_migrations TO atrium_app;
        GRANT SELECT ON atrium_migrations.applied TO atrium_app;
        """
}

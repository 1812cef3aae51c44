import Logging
import Postgres

extension DatabasePreparation {
    /// Leaves the session as atrium_owner, with roles and fences in place and every other migrator of the database kept
    /// out until the connection is closed.
    static func run(roles: String, _ settings: ConnectionSettings, on connection: PostgresConnection) async throws {
        let version = connection.parameter("server_version") ?? "0"
        guard let major = Int(version.prefix { $0.isNumber }), major >= 15 else {
            throw MigrationError.serverTooOld(version)
        }
        // The right to ask for the lock may have been taken away from everyone but the owner.
        let mayLock = try await connection.run([
            "SELECT has_function_privilege('pg_catalog.pg_advisory_lock(bigint)', 'EXECUTE')"
        ])[0][0].decode(Bool.self)
        if !mayLock { try await becomeOwner(settings, connection) }
        // One migration of a database at a time. Roles belong to the cluster, which this lock does not cover.
        _ = try await connection.run(["SELECT pg_advisory_lock(hashtext('atrium.migrations'))", "RESET ROLE"])
        try await createRoles(roles, on: connection)
        let isEarlier = try await connection.run([
            """
            SELECT EXISTS (SELECT FROM pg_attribute
                WHERE attrelid = to_regclass('atrium_migrations.applied') AND attname = 'context')
            """
        ])[0][0].decode(Bool.self)
        if isEarlier { throw MigrationError.earlierLayout }
        _ = try await connection.run(
            rights(on: settings.database) + [SchemaFiles.script(script, tag: "preparation")])
        try await becomeOwner(settings, connection)
    }

    static func becomeOwner(_ settings: ConnectionSettings, _ connection: PostgresConnection) async throws {
        do {
            _ = try await connection.run(["SET ROLE atrium_owner"])
        } catch let error as PostgresError where ["42501", "22023"].contains(error.sqlState) {
            throw MigrationError.mayNotOwn(settings.user)
        }
    }

    private static func createRoles(_ roles: String, on connection: PostgresConnection) async throws {
        let script = SchemaFiles.script(roles, tag: "roles")
        var tries = 1
        while true {
            do {
                _ = try await connection.run([script])
                return
            } catch let error as PostgresError where error.sqlState == "42501" {
                throw MigrationError.needsSuperuser(
                    error.message.contains("backtrace_functions")
                        ? "GRANT SET ON PARAMETER backtrace_functions TO atrium_owner"
                        : "run roles.sql: \(error.message)")
            } catch let error as PostgresError
                where tries < 20 && ["XX000", "23505", "42710"].contains(error.sqlState)
            {
                // Changed at the same time through another database: "tuple concurrently updated".
                tries += 1
                try await Task.sleep(for: .milliseconds(Int.random(in: 5...50)))
            }
        }
    }
}

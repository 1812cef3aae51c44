import DevStack
import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("The migrator")
struct MigratorTests {
    @Test("applies each file once, the platform's first, and then only what is new")
    func incremental() async throws {
        try await PostgresServer.withDatabase(.empty) { database in
            let first = try await SQLFolder.migrate(SQLFolder.files(), database)
            #expect(first.first == "platform/0001_platform.sql")
            #expect(first.contains("orders/0001_orders.sql"))
            #expect(first.contains("control/0001_control.sql"))
            #expect(try await SQLFolder.migrate(SQLFolder.files(), database) == [])
            let more = try SQLFolder.files(["orders/0900_more.sql": "CREATE TABLE more (tenant_id uuid);"])
            #expect(try await SQLFolder.migrate(more, database) == ["orders/0900_more.sql"])
            #expect(try await database.texts("SELECT to_regclass('orders.more')::text") == ["orders.more"])
        }
    }

    @Test("leaves the control plane out of a database that is not its own")
    func dataPlaneOnly() async throws {
        try await PostgresServer.withDatabase(.empty) { database in
            let applied = try await SQLFolder.migrate(SQLFolder.files(), database, control: false)
            #expect(!applied.contains { $0.hasPrefix("control") })
            #expect(try await database.texts("SELECT nspname::text FROM pg_namespace WHERE nspname = 'control'") == [])
        }
    }

    @Test("enters the control plane's own database as the first that tenants can live in")
    func home() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let home: SQL = "SELECT concat_ws(' ', name, server, database_name) FROM control.databases"
            // A copy has the name that its template had when it was migrated.
            #expect(try await database.texts(home) != ["home home \(database.name)"])
            try await SQLFolder.migrate(SQLFolder.files(), database)
            #expect(try await database.texts(home) == ["home home \(database.name)"])
            #expect(try await database.texts("SELECT name FROM control.servers WHERE region IS NULL") == ["home"])
        }
    }

    @Test("leaves everything to the owner role, nothing to the administrator")
    func ownership() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let owners = try await database.texts(
                """
                SELECT DISTINCT owner::regrole::text FROM (
                    SELECT relowner AS owner, relnamespace AS schema FROM pg_class
                    UNION ALL SELECT proowner, pronamespace FROM pg_proc
                    UNION ALL SELECT nspowner, oid FROM pg_namespace) AS found
                WHERE schema::regnamespace::text
                    IN ('platform', 'control', 'identity', 'orders', 'billing', 'metering', 'atrium_migrations')
                """)
            #expect(owners == ["atrium_owner"])
        }
    }

    @Test("undoes a file that fails, names it, and goes on from there when it is mended")
    func failure() async throws {
        try await PostgresServer.withDatabase(.empty) { database in
            let broken = try SQLFolder.files([
                "orders/0900_broken.sql": "CREATE TABLE half (tenant_id uuid); SELECT 1 / 0;"
            ])
            let error = await #expect(throws: MigrationError.self) { try await SQLFolder.migrate(broken, database) }
            #expect("\(error!)".contains("orders/0900_broken.sql failed"))
            let half = try await PostgresConnection.execute(
                "SELECT to_regclass('orders.half') IS NULL", at: database.address)
            #expect(try half[0].decode(Bool.self))
            let mended = try SQLFolder.files(["orders/0900_broken.sql": "CREATE TABLE half (tenant_id uuid);"])
            #expect(try await SQLFolder.migrate(mended, database) == ["orders/0900_broken.sql"])
        }
    }

    @Test("does not let a file end its transaction")
    func transactionControl() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let files = try SQLFolder.files([
                "orders/0900_commit.sql": "CREATE TABLE half (tenant_id uuid); COMMIT; SELECT 1 / 0;"
            ])
            await #expect(throws: MigrationError.self) { try await SQLFolder.migrate(files, database) }
            #expect(try await database.texts("SELECT 'there' WHERE to_regclass('orders.half') IS NOT NULL") == [])
        }
    }

    @Test("refuses a file that was changed after it was applied, and a database from the future")
    func drift() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let changed = try SQLFolder.files(["orders/0001_orders.sql": "SELECT 1;"])
            await #expect(throws: MigrationError.changed("orders/0001_orders.sql")) {
                try await SQLFolder.migrate(changed, database)
            }
            let more = try SQLFolder.files(["orders/0900_more.sql": "SELECT 1;"])
            try await SQLFolder.migrate(more, database)
            await #expect(throws: MigrationError.unknown("orders/900")) {
                try await SQLFolder.migrate(SQLFolder.files(), database)
            }
        }
    }

    @Test("may run from several processes at once")
    func concurrency() async throws {
        try await PostgresServer.withDatabase(.empty) { database in
            let files = try SQLFolder.files()
            let applied = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 { group.addTask { try await SQLFolder.migrate(files, database).count } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(applied.sorted() == [0, 0, 0, files.files.count])
        }
    }

    @Test("keeps the key that contexts are signed with and the one before, and no older one")
    func keys() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let keys = (1...3).map { ContextKey(secret: Array("secret number \($0) of this test".utf8)) }
            let kept: SQL = "SELECT key_id FROM platform.context_keys ORDER BY key_id"
            for key in keys { try await SQLFolder.migrate(SQLFolder.files(), database, key: key) }
            #expect(try await database.texts(kept) == keys.suffix(2).map(\.stored.id).sorted())
            // The older of the two becomes the newer one when it is used again.
            try await SQLFolder.migrate(SQLFolder.files(), database, key: keys[1])
            try await SQLFolder.migrate(SQLFolder.files(), database, key: keys[0])
            #expect(try await database.texts(kept) == keys.prefix(2).map(\.stored.id).sorted())
        }
    }

    @Test(
        "takes away from everyone what would outlast a transaction or reach beyond it",
        arguments: [
            "SELECT set_config('role', 'orders_app', true)", "SELECT pg_advisory_lock(1)",
            "SELECT pg_try_advisory_lock(1, 2)", "SELECT pg_advisory_lock_shared(1)", "SELECT pg_advisory_unlock_all()",
            "SELECT lo_create(0)", "SELECT lo_from_bytea(0, 'x')", "SELECT lo_creat(-1)",
            "DO $$ BEGIN END $$", "CREATE TEMPORARY TABLE t (a int)", "CREATE TABLE public.t (a int)",
            "CREATE SCHEMA s", "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ])
    func rights(_ sql: String) async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let connection = try await PostgresConnection.connect(database.login("atrium_app"), logger: .silent)
            defer { connection.close() }
            let error = await #expect(throws: PostgresError.self) {
                _ = try await connection.query("\(unsafeSQL: sql)")
            }
            #expect(error?.sqlState == "42501", "\(error?.message ?? "")")
        }
    }

    @Test("leaves the advisory locks that end with a transaction")
    func transactionLocks() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let connection = try await PostgresConnection.connect(database.login("atrium_app"), logger: .silent)
            defer { connection.close() }
            let rows = try await connection.query("SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock(2)")
            #expect(rows.count == 1)
        }
    }

    @Test("works for an administrator who is no superuser, once a superuser has run it")
    func administrator() async throws {
        let role = "admin_\(UUID().uuidString.prefix(8).lowercased())"
        try await PostgresServer.withDatabase(.migrated) { database in
            try await database.run(
                "CREATE ROLE \(unsafeSQL: role) LOGIN CREATEROLE PASSWORD 'atrium'",
                "GRANT atrium_owner TO \(unsafeSQL: role)",
                "ALTER DATABASE \(unsafeSQL: database.name) OWNER TO \(unsafeSQL: role)")
            let more = try SQLFolder.files(["orders/0900_more.sql": "CREATE TABLE more (tenant_id uuid);"])
            let applied = try await Migrator(
                more, administrator: database.login(role), contextKey: SQLFolder.contextKey, logger: .silent
            ).run(control: true)
            #expect(applied.map(\.description) == ["orders/0900_more.sql"])
            try await database.run("ALTER DATABASE \(unsafeSQL: database.name) OWNER TO postgres")
        }
        try await PostgresConnection.execute(
            "DROP ROLE \(unsafeSQL: role)", at: PostgresServer.shared().address)
    }

    @Test("says what a superuser has to do where the administrator is none and nothing was prepared")
    func unprepared() async throws {
        try await PostgresServer.withDedicated { server in
            try await PostgresConnection.execute(
                "CREATE ROLE chief LOGIN CREATEROLE PASSWORD 'atrium'", "CREATE DATABASE fresh OWNER chief",
                at: server.primary.address)
            let chief = server.primary.address.database("fresh").user("chief", password: "atrium")
            let error = await #expect(throws: MigrationError.self) {
                try await Migrator(
                    SQLFolder.files(), administrator: ConnectionSettings(chief.url), contextKey: SQLFolder.contextKey,
                    logger: .silent
                ).run(control: true)
            }
            #expect(error == .needsSuperuser("GRANT SET ON PARAMETER backtrace_functions TO atrium_owner"))
        }
    }

    @Test("tells a database of the time before signed contexts from one that is empty")
    func earlierLayout() async throws {
        try await PostgresServer.withDatabase(.empty) { database in
            try await database.run(
                "CREATE SCHEMA atrium_migrations",
                "CREATE TABLE atrium_migrations.applied (context text, number int, name text, checksum text)")
            await #expect(throws: MigrationError.earlierLayout) {
                try await SQLFolder.migrate(SQLFolder.files(), database)
            }
        }
    }

    @Test(
        "refuses names that say nothing of their order",
        arguments: ["orders/one.sql", "orders/1_x.sql", "orders/0000_x.sql"])
    func names(_ path: String) {
        #expect(throws: MigrationError.badName(path)) { try SQLFolder.files([path: "SELECT 1;"]) }
    }

    @Test("refuses two files of one number")
    func duplicates() {
        #expect(throws: MigrationError.duplicateNumber("orders/0001_other.sql")) {
            // Sorted by name, the added file comes after the project's own.
            try SQLFolder.files(["orders/0001_other.sql": "SELECT 1;", "orders/0001_orders.sql": "SELECT 1;"])
        }
    }

    @Test("refuses a context whose name reads like a tenant's schema")
    func scopes() {
        #expect(throws: MigrationError.badScope("orders__late")) {
            try SQLFolder.files(["orders__late/0001_x.sql": "SELECT 1;"])
        }
    }

    @Test("says what to do where its files are not to be found")
    func missing() {
        let error = #expect(throws: MigrationError.self) {
            try MigrationFiles(directory: URL(filePath: "/nonexistent/schemas/sql"))
        }
        #expect("\(error!)".contains("ATRIUM_SCHEMAS"))
    }
}

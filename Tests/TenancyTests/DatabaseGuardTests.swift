import DevStack
import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("The database guard")
struct DatabaseGuardTests {
    private static func findings(_ plane: TestDataPlane) async throws -> [String] {
        let files = try MigrationFiles(directory: Places.packageRoot.appending(path: "schemas/sql"))
        return try await DatabaseGuard(pool: plane.pool, files: files).findings()
    }

    @Test("finds nothing in a database as it should be")
    func clean() async throws {
        let findings = try await TestDataPlane.with { try await Self.findings($0) }
        #expect(findings == [])
    }

    @Test(
        "names what is wrong with a table",
        arguments: [
            ("ALTER TABLE orders.orders DISABLE ROW LEVEL SECURITY", "orders.orders has row security switched off"),
            ("ALTER TABLE billing.inbox NO FORCE ROW LEVEL SECURITY", "billing.inbox does not force row security"),
            (
                "CREATE POLICY open ON orders.orders USING (true)",
                "orders.orders has a policy that is not bound"
            ),
            (
                "CREATE POLICY open ON orders.orders TO orders_app USING (tenant_id IS NOT NULL)",
                "orders.orders has a policy that is not bound"
            ),
            (
                "CREATE TABLE metering.planted (tenant_id uuid NOT NULL)",
                "metering.planted has row security switched off"
            ),
            ("GRANT SELECT ON orders.orders TO atrium_app", "atrium_app has rights of its own on orders.orders"),
            ("GRANT SELECT ON orders.orders TO PUBLIC", "atrium_app has rights of its own on orders.orders"),
            ("ALTER TABLE orders.orders OWNER TO atrium_app", "login role atrium_app owns orders.orders"),
            (
                "DELETE FROM atrium_migrations.applied WHERE context = 'orders'",
                "migration orders/0001_orders.sql has not"
            ),
            (
                "UPDATE atrium_migrations.applied SET checksum = 'x' WHERE context = 'orders'",
                "orders/0001_orders.sql was changed"
            ),
            ("UPDATE atrium_migrations.applied SET number = 99 WHERE context = 'orders'", "the database has orders/99"),
            ("DROP SCHEMA atrium_migrations CASCADE", "never been migrated"),
        ])
    func fault(_ sql: String, _ finding: String) async throws {
        try await TestDataPlane.with { plane in
            try await plane.asSuperuser("\(unsafeSQL: sql)")
            let findings = try await Self.findings(plane)
            #expect(findings.contains { $0.contains(finding) }, "\(findings)")
        }
    }

    @Test(
        "names what is wrong with the login role",
        arguments: [
            ("SUPERUSER", "is a superuser"), ("BYPASSRLS", "is BYPASSRLS"), ("CREATEROLE", "is CREATEROLE"),
            ("INHERIT", "is INHERIT"),
        ])
    func login(_ attribute: String, _ finding: String) async throws {
        // Roles belong to the whole server, so each case logs in as a role of its own.
        let role = "guard_\(UUID().uuidString.prefix(8).lowercased())"
        try await PostgresServer.withDatabase(.migrated) { database in
            try await PostgresConnection.execute(
                "CREATE ROLE \(unsafeSQL: role) LOGIN NOINHERIT PASSWORD 'x'",
                "ALTER ROLE \(unsafeSQL: role) \(unsafeSQL: attribute)",
                "GRANT CONNECT ON DATABASE \(unsafeSQL: database.address.database) TO \(unsafeSQL: role)",
                "GRANT USAGE ON SCHEMA atrium_migrations TO \(unsafeSQL: role)",
                "GRANT SELECT ON atrium_migrations.applied TO \(unsafeSQL: role)", at: database.address)
            let findings = try await Self.findings(of: role, in: database)
            #expect(findings.contains { $0.contains("login role \(role) \(finding)") }, "\(findings)")
        }
        _ = try? await PostgresConnection.execute("DROP ROLE \(unsafeSQL: role)", at: PostgresServer.shared().address)
    }

    @Test("names a membership through which the login could become the owner")
    func membership() async throws {
        let role = "guard_\(UUID().uuidString.prefix(8).lowercased())"
        try await PostgresServer.withDatabase(.migrated) { database in
            try await PostgresConnection.execute(
                "CREATE ROLE \(unsafeSQL: role) LOGIN NOINHERIT PASSWORD 'x'",
                "GRANT atrium_owner TO \(unsafeSQL: role)",
                "GRANT CONNECT ON DATABASE \(unsafeSQL: database.address.database) TO \(unsafeSQL: role)",
                "GRANT USAGE ON SCHEMA atrium_migrations TO \(unsafeSQL: role)",
                "GRANT SELECT ON atrium_migrations.applied TO \(unsafeSQL: role)", at: database.address)
            let findings = try await Self.findings(of: role, in: database)
            #expect(findings.contains { $0.contains("may become atrium_owner") }, "\(findings)")
        }
        _ = try? await PostgresConnection.execute("DROP ROLE \(unsafeSQL: role)", at: PostgresServer.shared().address)
    }

    private static func findings(of role: String, in database: TestDatabase) async throws -> [String] {
        let files = try MigrationFiles(directory: Places.packageRoot.appending(path: "schemas/sql"))
        let login = database.address.user(role, password: "x")
        let pool = PostgresPool(
            try ConnectionSettings(login.url), PoolConfiguration(name: "guard", maximum: 1), logger: .silent)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            defer { group.cancelAll() }
            return try await DatabaseGuard(pool: pool, files: files).findings()
        }
    }
}

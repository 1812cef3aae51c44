import DevStack
import Foundation
import Kernel
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Tenancy

@Suite("A look for drift")
struct MigrationDriftTests {
    private static func fleet(_ files: MigrationFiles) -> FleetMigrator {
        FleetMigrator(files, contextKey: SQLFolder.contextKey, logger: .silent)
    }

    private static func home(_ database: TestDatabase) throws -> FleetMigrator.Database {
        .init(name: "home", administrator: try ConnectionSettings(database.address.url), isControl: true)
    }

    private static func findings(
        _ database: TestDatabase, _ files: MigrationFiles? = nil, template: SiloTemplate? = nil
    ) async throws -> [String] {
        await DriftCheck(fleet(try files ?? SQLFolder.files())).run([try home(database)], template: template)
            .map(\.description)
    }

    private static func template() throws -> SiloTemplate {
        SiloTemplate(try SQLFolder.files(), contextKey: SQLFolder.contextKey, logger: .silent)
    }

    @Test("finds nothing where nobody has changed anything")
    func clean() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            for _ in 0..<2 { try await database.makeTenant() }
            #expect(try await Self.findings(database, template: Self.template()) == [])
        }
    }

    private static let differences: [(String, String)] = [
        ("ALTER TABLE orders__TENANT.orders ADD COLUMN note text", "orders: column note is not in orders.orders"),
        (
            "ALTER TABLE orders__TENANT.orders DROP COLUMN total_minor CASCADE",
            "orders: column total_minor is missing; it is in orders.orders"
        ),
        (
            "ALTER TABLE orders__TENANT.order_lines ALTER COLUMN number TYPE bigint",
            "order_lines: column number is bigint NOT NULL, and integer NOT NULL in orders.order_lines"
        ),
        (
            "ALTER TABLE orders__TENANT.orders ALTER COLUMN currency SET DEFAULT 'EUR'",
            "orders: column currency is text NOT NULL DEFAULT 'EUR'::text, and text NOT NULL in orders.orders"
        ),
        (
            "ALTER TABLE orders__TENANT.orders ALTER COLUMN currency DROP NOT NULL",
            "orders: column currency is text, and text NOT NULL in orders.orders"
        ),
        (
            "ALTER TABLE orders__TENANT.orders DROP CONSTRAINT orders_version_check",
            "orders: constraint orders_version_check is missing"
        ),
        (
            "ALTER TABLE orders__TENANT.orders DROP CONSTRAINT own_tenant",
            "orders: constraint own_tenant is missing"
        ),
        (
            "ALTER TABLE orders__TENANT.orders DROP CONSTRAINT own_tenant, ADD CONSTRAINT own_tenant "
                + "CHECK (tenant_id = '01234567-89ab-cdef-0123-456789abcdef')",
            "orders: constraint own_tenant is CHECK ((tenant_id = '01234567-89ab-cdef-0123-456789abcdef'::uuid))"
        ),
        (
            "ALTER TABLE orders__TENANT.order_lines DROP CONSTRAINT order_lines_tenant_id_order_id_fkey",
            "order_lines: constraint order_lines_tenant_id_order_id_fkey is missing"
        ),
        ("DROP INDEX orders__TENANT.orders_by_state", "orders: index orders_by_state is missing"),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders__TENANT.orders_by_state'::regclass",
            "which is broken, and CREATE INDEX orders_by_state"
        ),
        ("DROP POLICY tenant_isolation ON orders__TENANT.orders", "orders: policy tenant_isolation is missing"),
        (
            "ALTER POLICY tenant_isolation ON orders__TENANT.orders USING (true)",
            "orders: policy tenant_isolation is FOR * TO PUBLIC USING true WITH CHECK"
        ),
        (
            "ALTER TABLE orders__TENANT.orders NO FORCE ROW LEVEL SECURITY",
            "orders: row security is on, not forced, and on, forced in orders.orders"
        ),
        (
            "GRANT DELETE ON orders__TENANT.orders TO orders_app",
            "orders: rights of orders_app is DELETE, INSERT, SELECT, and INSERT, SELECT in orders.orders"
        ),
        (
            "GRANT UPDATE (id) ON orders__TENANT.orders TO orders_app",
            "orders: rights of orders_app on the column id is not in orders.orders"
        ),
        (
            "GRANT CREATE ON SCHEMA orders__TENANT TO orders_app",
            "orders__TENANT: rights of orders_app is CREATE, USAGE, and USAGE in orders"
        ),
        (
            "ALTER TABLE orders__TENANT.orders OWNER TO postgres",
            "orders: table is of postgres, and of atrium_owner"
        ),
        ("CREATE TABLE orders__TENANT.more (a int)", "orders__TENANT.more: not in orders"),
        ("DROP TABLE orders__TENANT.order_history", "orders__TENANT.order_history: missing; it is in orders"),
        (
            "ALTER FUNCTION metering__TENANT.take_turns(text[]) STABLE",
            "take_turns(keys text[]): function is of atrium_owner"
        ),
        (
            "GRANT EXECUTE ON FUNCTION metering__TENANT.take_turns TO PUBLIC",
            "take_turns(keys text[]): rights of PUBLIC is not in metering.take_turns(keys text[])"
        ),
        (
            "CREATE FUNCTION orders__TENANT.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new;END'; "
                + "CREATE TRIGGER t BEFORE INSERT ON orders__TENANT.orders EXECUTE FUNCTION orders__TENANT.f()",
            "orders: trigger t is not in orders.orders"
        ),
    ]

    @Test(
        "names each difference between a tenant's schema and its context's",
        arguments: differences)
    func difference(_ sql: String, _ finding: String) async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let suffix = try await database.makeTenant()
            try await database.makeTenant()
            for statement in sql.replacing("TENANT", with: suffix).split(separator: "; ") {
                try await database.run("\(unsafeSQL: String(statement))")
            }
            let findings = try await Self.findings(database)
            let wanted = finding.replacing("TENANT", with: suffix)
            #expect(findings.contains { $0.contains(wanted) && $0.contains("__\(suffix)") }, "\(findings)")
            #expect(findings.allSatisfy { $0.contains(suffix) }, "nothing is said of what nobody touched: \(findings)")
        }
    }

    @Test("names what was changed in a database beside what the files make")
    func base() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            try await database.run("ALTER TABLE orders.orders ADD COLUMN note text")
            let findings = try await Self.findings(database, template: Self.template())
            #expect(findings == ["home: orders.orders: column note is not in orders.orders as the files make it"])
        }
    }

    @Test("leaves no copy of the template behind, whatever happens to who looks at it", arguments: [false, true])
    func noCopy(_ fails: Bool) async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            struct Planted: Error {}
            let copy = Mutex("")
            let found: SQL = "SELECT datname::text FROM pg_database"
            do {
                let names = try await Self.template().withCopy(administrator: ConnectionSettings(database.address.url))
                {
                    let name = $0.database
                    copy.withLock { $0 = name }
                    if fails { throw Planted() }
                    return try await database.texts(found)
                }
                #expect(names.contains(copy.withLock { $0 }))
            } catch is Planted {}
            #expect(try await !database.texts(found).contains(copy.withLock { $0 }))
        }
    }

    @Test("compares databases with the first where there is no template")
    func databases() async throws {
        try await PostgresServer.withDatabase(.migrated) { home in
            try await PostgresServer.withDatabase(.migrated) { other in
                try await other.run("DROP POLICY tenant_isolation ON billing.invoices")
                let findings = await DriftCheck(Self.fleet(try SQLFolder.files())).run([
                    try Self.home(home),
                    .init(name: "other", administrator: try ConnectionSettings(other.address.url), isControl: true),
                ])
                #expect(
                    findings.map(\.description).first?.hasPrefix(
                        "other: billing.invoices: policy tenant_isolation is missing; it is in billing.invoices of home"
                    )
                        == true, "\(findings)")
                #expect(findings.count == 1)
            }
        }
    }

    @Test("names files that are missing, changed or unknown, schema by schema")
    func files() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let suffix = try await database.makeTenant()
            try await database.run(
                "UPDATE atrium_migrations.applied SET checksum = 'x' WHERE schema_name = \("orders__\(suffix)")",
                "INSERT INTO atrium_migrations.applied VALUES ('billing', 7, 'x', 'x')")
            let more = try SQLFolder.files(["metering/0900_more.sql": "SELECT 1;"])
            let findings = try await Self.findings(database, more)
            for wanted in [
                "home: orders__\(suffix): orders/0001_orders.sql was changed after it was applied",
                "home: the database has billing/7, which this version of Atrium does not",
                "home: metering: metering/0900_more.sql has not been applied",
                "home: metering__\(suffix): metering/0900_more.sql has not been applied",
            ] {
                #expect(findings.contains { $0.hasPrefix(wanted) }, "\(wanted) in \(findings)")
            }
        }
    }

    // MARK: Status

    @Test("a status tells what is to be applied, and applies nothing")
    func status() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let suffix = try await database.makeTenant()
            let more = try SQLFolder.files(["orders/0900_more.sql": "CREATE TABLE more (tenant_id uuid);"])
            for _ in 0..<2 {
                let report = await Self.fleet(more).status([try Self.home(database)])
                #expect(!report.isSuccess)
                #expect(report.databases[0].pending == 2)
                #expect(report.text.contains("orders__\(suffix): to be applied: orders/0900_more.sql"))
            }
            #expect(await Self.fleet(try SQLFolder.files()).status([try Self.home(database)]).isSuccess)
        }
    }

    @Test("a status of an empty database lists every file")
    func emptyStatus() async throws {
        try await PostgresServer.withDatabase { database in
            let files = try SQLFolder.files()
            let report = await Self.fleet(files).status([try Self.home(database)])
            #expect(report.databases[0].pending == files.files.count)
        }
    }

    // MARK: The installation

    @Test(
        "an installation is migrated from its control plane: its templates, its databases, and those of other servers")
    func installation() async throws {
        try await PostgresServer.withDatabase(.migrated) { control in
            try await PostgresServer.withDatabase { silo in
                let home = try ConnectionSettings(control.address.url)
                try await control.run(
                    "UPDATE control.databases SET database_name = current_database()",
                    "INSERT INTO control.servers (name) VALUES ('far'), ('eu-1')",
                    "INSERT INTO control.databases (name, server, database_name) VALUES ('far/silo', 'far', \(silo.name)), ('eu-1/x', 'eu-1', 'x')",
                    "INSERT INTO control.databases (name, server, database_name, silo_of) VALUES ('far/early', 'far', 'not_made_yet', gen_random_uuid())"
                )
                let report = await Self.fleet(try SQLFolder.files()).runAll(
                    home: home, administrator: { $0 == "far" ? home : nil })
                let byName = Dictionary(uniqueKeysWithValues: report.databases.map { ($0.database, $0) })
                #expect(byName["home"]?.hasFailed == false)
                #expect(byName["far/silo"]?.applied.isEmpty == false)
                #expect(byName["far/early"]?.isAbsent == true)
                #expect(byName["eu-1/x"]?.failure?.contains("ATRIUM_SERVER_EU_1_ADMIN_URL") == true)
                #expect(byName["home's template of silos"]?.hasFailed == false)
                #expect(byName["far's template of silos"]?.hasFailed == false)
                #expect(!report.isSuccess)
            }
        }
    }
}

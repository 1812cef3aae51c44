import DevStack
import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("The check of the manifest")
struct ManifestCheckTests {
    private static let topics = ["billing.invoice", "identity.tenant", "metering.usage", "orders.order"]

    /// A freshly migrated database, with a tenant on the bridge in it and one in a silo beside it.
    private static func with(
        _ body: @Sendable (_ world: PlacementWorld, _ bridge: TenantID, _ silo: TenantID) async throws -> Void
    ) async throws {
        try await PlacementWorld.with { world in
            try await body(world, try await world.add("bridged", .bridge), try await world.add("siloed", .silo))
        }
    }

    private static func report(
        _ world: PlacementWorld, topics: [String]? = Self.topics
    ) async throws -> ManifestReport {
        try await ManifestCheck(try ManifestTests.ours(), plane: world.plane.dataPlane, logger: .silent)
            .run(topics: topics)
    }

    @Test("finds no difference in databases as they are migrated and topics as they are made")
    func clean() async throws {
        try await Self.with { world, _, _ in
            let report = try await Self.report(world, topics: Self.topics + ["__consumer_offsets"])
            #expect(report.findings.map(\.description) == [])
            #expect(report.databases == 2 && report.topics == 4)
            // Fifty or so in each, and twelve of the bridge tenant's own: a query that sees nothing would find nothing.
            #expect(report.tables > 80, "\(report.tables)")
        }
    }

    struct Plant: Sendable, CustomTestStringConvertible {
        enum Place: Sendable {
            case home, silo
        }

        let sql: String
        let place: Place
        let finding: String

        init(_ sql: String, in place: Place = .home, _ finding: String) {
            self.sql = sql
            self.place = place
            self.finding = finding
        }

        var testDescription: String { sql }
    }

    // `own` stands for what is behind the context in the names of the bridge tenant's schemas.
    @Test(
        "names what is there and not in the manifest, or there and not as it says",
        arguments: [
            Plant("CREATE TABLE orders.planted (tenant_id uuid)", "table orders.planted is not in the manifest"),
            Plant("CREATE TABLE orders__own.planted (id int)", "table orders__own.planted is not in the manifest"),
            Plant("CREATE TABLE public.planted (id int)", in: .silo, "table public.planted is not in the manifest"),
            Plant("CREATE SCHEMA x CREATE TABLE orders (id int)", "table x.orders is not in the manifest"),
            Plant("CREATE TABLE orders__own.outbox (id int)", "orders__own.outbox is not kept in tenants' own schemas"),
            Plant(
                "CREATE VIEW orders.planted AS SELECT * FROM orders.orders",
                "view orders.planted is not in the manifest"),
            Plant(
                "CREATE MATERIALIZED VIEW billing.planted AS SELECT 1", in: .silo,
                "materialized view billing.planted is not in the manifest"),
            Plant(
                """
                DO $$ BEGIN CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
                CREATE FOREIGN TABLE orders.planted (id int) SERVER s; END $$
                """, "foreign table orders.planted is not in the manifest"),
            Plant("CREATE SEQUENCE billing.numbers", "sequence billing.numbers is not in the manifest"),
            Plant("SELECT lo_create(0)", in: .silo, "large objects are there, 1 of them"),
            Plant("CREATE SCHEMA control CREATE TABLE tenants (id int)", in: .silo, "control plane's database alone"),
            Plant("DROP TABLE metering.usage_buckets", "table metering.usage_buckets is in the manifest"),
            Plant("DROP TABLE metering.usage_buckets", in: .silo, "table metering.usage_buckets is in the manifest"),
            Plant("DROP TABLE metering__own.usage_buckets", "table metering__own.usage_buckets is in the manifest"),
            Plant("DROP SCHEMA metering__own CASCADE", "table metering__own.meters is in the manifest"),
            Plant(
                """
                DO $$ BEGIN DROP TABLE billing.invoice_lines; CREATE VIEW billing.invoice_lines AS SELECT 1; END $$
                """, "view billing.invoice_lines is no table"),
            Plant(
                "ALTER TABLE orders.orders DISABLE ROW LEVEL SECURITY", "orders.orders has row security switched off"),
            Plant(
                "ALTER TABLE orders__own.orders DISABLE ROW LEVEL SECURITY",
                "orders__own.orders has row security switched off"),
            Plant(
                "ALTER TABLE orders.orders NO FORCE ROW LEVEL SECURITY", in: .silo,
                "orders.orders does not force row security"),
            Plant("DROP POLICY tenant_isolation ON identity.users", "identity.users has no policy that keeps"),
            Plant(
                "ALTER POLICY tenant_isolation ON identity.users WITH CHECK (true)",
                "identity.users has no policy that keeps"),
            Plant(
                "CREATE POLICY leak ON billing__own.invoices FOR SELECT USING (true)",
                "billing__own.invoices has the policy leak"),
            Plant(
                "CREATE POLICY leak ON orders.orders TO orders_app USING (true)", "orders.orders has the policy leak"),
            Plant(
                "ALTER TABLE orders__own.orders DROP CONSTRAINT own_tenant",
                "orders__own.orders takes rows of others than the schema's own tenant"),
            Plant(
                "ALTER TABLE orders.outbox_default NO FORCE ROW LEVEL SECURITY",
                "table orders.outbox_default is not in the manifest"),
            Plant(
                "GRANT SELECT ON orders.outbox_default TO orders_app",
                "table orders.outbox_default is not in the manifest"),
            Plant("ALTER TABLE orders.outbox ALTER tenant_id DROP NOT NULL", "orders.outbox has no column tenant_id"),
            Plant(
                "ALTER TABLE orders.order_lines DROP COLUMN tenant_id CASCADE",
                "orders.order_lines has no column tenant_id"),
            Plant("ALTER TABLE identity.users RENAME email TO mail", "identity.users has no column email"),
            Plant("GRANT SELECT ON orders.dead_letters TO orders_app", "orders.dead_letters is open to orders_app"),
            Plant("GRANT SELECT ON control.skus TO PUBLIC", "control.skus is open to PUBLIC"),
            Plant(
                "GRANT SELECT (sealed_key) ON control.signing_keys TO identity_app",
                "control.signing_keys is open to identity_app"),
            Plant(
                "ALTER TABLE control.registrations DISABLE ROW LEVEL SECURITY",
                "control.registrations has row security switched off"),
            Plant(
                "INSERT INTO control.databases (name, server, database_name) VALUES ('gone', 'home', 'gone')",
                "home/gone: the database can't be looked at"),
        ])
    func planted(_ plant: Plant) async throws {
        try await Self.with { world, bridge, silo in
            let own = "t\(bridge.hexDigits)"
            try await world.execute(
                plant.sql.replacing("__own", with: "__\(own)"),
                in: plant.place == .silo ? "atrium_t\(silo.hexDigits)" : nil)
            let findings = try await Self.report(world).findings.map(\.description)
            #expect(
                findings.contains { $0.contains(plant.finding.replacing("__own", with: "__\(own)")) }, "\(findings)")
        }
    }

    @Test("names topics that are there and not in the manifest, and the reverse")
    func topics() async throws {
        try await Self.with { world, _, _ in
            let report = try await Self.report(world, topics: Self.topics.dropLast() + ["orders.secret"])
            #expect(report.findings.count == 2)
            #expect(report.findings.first?.description.contains("topic orders.secret is not in the manifest") == true)
            #expect(report.findings.last?.description.contains("topic orders.order is in the manifest (line") == true)
        }
    }

    @Test("says so where it was not told of topics, and misses none")
    func withoutTopics() async throws {
        try await Self.with { world, _, _ in
            let report = try await Self.report(world, topics: nil)
            #expect(report.findings.isEmpty && report.topics == nil)
            #expect(report.json["skipped"]?.elements == ["topics"] && report.json["topics"] == .null)
        }
    }

    @Test("needs no right on any data")
    func rights() async throws {
        try await Self.with { world, _, _ in
            let login = try ConnectionSettings(
                world.plane.database.address.user("atrium_app", password: "atrium").url)
            let connection = try await PostgresConnection.connect(login, logger: .silent)
            defer { connection.close() }
            await #expect(throws: PostgresError.self) { try await connection.query("SELECT FROM orders.orders") }
            #expect(try await Self.report(world).findings.isEmpty)
        }
    }
}

import DevStack
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Tenancy

/// One tenant, with what its SKU gives it.
private struct OneTenant: TenantLocator {
    let residence: Residence

    func known(_ tenant: TenantID) -> Residence? { tenant == residence.tenantID ? residence : nil }
    func residence(of tenant: TenantID) async throws -> Residence? { known(tenant) }
}

@Suite("What a tenant's contract gives it")
struct ResidenceTests {
    private static let orders = ContextRole.app("orders")

    private static func plane(
        _ fleet: DatabaseFleet, for tenant: TenantContext, durability: Durability = .on, connections: Int = 16
    ) -> DataPlane {
        DataPlane(
            fleet: fleet,
            locator: OneTenant(
                residence: Residence(
                    tenantID: tenant.tenantID, slug: "x", state: .active,
                    placement: Placement(tier: .pool, database: fleet.control, of: tenant.tenantID),
                    durability: durability, connections: connections)),
            signer: ContextSigner(TestDataPlane.contextKey))
    }

    @Test(
        "when a commit counts: for its own transactions and for nobody who comes after", arguments: Durability.allCases)
    func durability(_ durability: Durability) async throws {
        try await TestDataPlane.with(maximum: 1) { world in
            let tenant = TenantContext.test()
            let plane = Self.plane(world.fleet, for: tenant, durability: durability)
            let inside = try await plane.write(tenant, as: Self.orders) {
                try await $0.rows("SELECT current_setting('synchronous_commit')")[0].decode(String.self)
            }
            let after = try await world.pool.withConnection { connection in
                try await connection.query("SELECT current_setting('synchronous_commit')")[0].decode(String.self)
            }
            let usual = try await world.asSuperuser("SELECT current_setting('synchronous_commit')")[0]
                .decode(String.self)
            #expect(inside == (durability == .on ? usual : durability.rawValue))
            #expect(after == usual)
        }
    }

    @Test("is refused by name where there is no such tenant")
    func unknown() async throws {
        try await TestDataPlane.with { world in
            let plane = Self.plane(world.fleet, for: .test())
            let stranger = TenantContext.test()
            await #expect(throws: UnknownTenant(tenantID: stranger.tenantID)) {
                try await plane.query(stranger, as: Self.orders, "SELECT 1")
            }
        }
    }
}

@Suite("A login whose password was changed on the server")
struct RotationTests {
    @Test("goes on with the connections it has, is refused new ones in words, and recovers by itself")
    func rotation() async throws {
        try await PostgresServer.withDedicated { cluster in
            _ = try await cluster.primary.execute("CREATE DATABASE atrium")
            let database = cluster.primary.address.database("atrium")
            try await DatabaseTemplate.migrate(database)
            let login = try ConnectionSettings(database.user("atrium_app", password: "atrium").url)
            let fleet = DatabaseFleet(
                servers: [ServerSettings(name: "home", primary: login)],
                pools: PoolConfiguration(name: "rotation", maximum: 2), logger: .silent)
            let homes = TestHomes(tier: .pool, fleet: fleet, files: try TestDataPlane.files())
            let plane = DataPlane(fleet: fleet, locator: homes, signer: ContextSigner(TestDataPlane.contextKey))
            let tenant = TenantContext.test()
            let orders = ContextRole.app("orders")
            _ = try await plane.query(tenant, as: orders, "SELECT 1")

            _ = try await cluster.primary.execute("ALTER ROLE atrium_app PASSWORD 'another'")
            _ = try await plane.query(tenant, as: orders, "SELECT 1")
            try await PostgresConnection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'atrium_app'", at: database)
            var refusal: DataPlaneUnavailable?
            try await Waiting.until("a new connection is refused") {
                do {
                    _ = try await plane.query(tenant, as: orders, "SELECT 1")
                } catch let error as DataPlaneUnavailable {
                    refusal = error
                }
                return refusal?.description.contains("password authentication failed") == true
            }

            _ = try await cluster.primary.execute("ALTER ROLE atrium_app PASSWORD 'atrium'")
            try await Waiting.until("it is let in again") {
                (try? await plane.query(tenant, as: orders, "SELECT 1")) != nil
            }
            for pool in fleet.opened.map(\.primary) { pool.close() }
        }
    }
}

import DevStack
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Tenancy

@Suite(
    "Behind a PgBouncer in transaction mode",
    .enabled(if: PgBouncer.isInstalled, "pgbouncer is not installed: apt-get install pgbouncer"))
struct PoolerTests {
    private static let orders = ContextRole.app("orders")

    /// A data plane that reaches the database through a PgBouncer with so many connections.
    private static func with(
        connections: Int, throughPooler: Bool = true, _ body: (DataPlane) async throws -> Void
    ) async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let login = database.address.user("atrium_app", password: "atrium")
            try await PgBouncer.with(login, connections: connections) { bouncer in
                var settings = try ConnectionSettings(login.url)
                settings.port = String(bouncer.port)
                settings.preparesStatements = false
                let fleet = DatabaseFleet(
                    servers: [ServerSettings(name: "home", primary: settings)],
                    pools: PoolConfiguration(name: "pooled", maximum: 16), logger: .silent)
                let homes = TestHomes(tier: .pool, fleet: fleet, files: try TestDataPlane.files())
                try await body(
                    DataPlane(
                        fleet: fleet, locator: homes,
                        signer: ContextSigner(TestDataPlane.contextKey, throughPooler: throughPooler)))
                for pool in fleet.opened.map(\.primary) { pool.close() }
            }
        }
    }

    private static func insertion(for tenant: TenantID) -> SQL {
        let id: Identifier<Void> = IdentifierSource.system.next()
        return """
            INSERT INTO orders.orders (tenant_id, id, customer_id, currency, state, total_minor, created_at, \
            updated_at, version)
            VALUES (\(tenant), \(id), \(id), 'EUR', 'draft', 1, now(), now(), 1)
            """
    }

    @Test("many tenants share two server processes, and each sees its own rows and nobody else's")
    func isolation() async throws {
        try await Self.with(connections: 2) { dataPlane in
            let tenants = (0..<20).map { _ in TenantContext.test() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, tenant) in tenants.enumerated() {
                    group.addTask {
                        for _ in 0...(index % 4) {
                            try await dataPlane.write(tenant, as: Self.orders) {
                                $0.enqueue(Self.insertion(for: tenant.tenantID))
                            }
                            let seen = try await dataPlane.query(
                                tenant, as: Self.orders, "SELECT DISTINCT tenant_id FROM orders.orders")
                            #expect(try seen.map { try $0.decode(TenantID.self) } == [tenant.tenantID])
                        }
                        let count = try await dataPlane.query(
                            tenant, as: Self.orders, "SELECT count(*) FROM orders.orders")[0].decode(Int64.self)
                        #expect(count == Int64(index % 4 + 1))
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("a transaction that throws leaves nothing to the next one on its server process")
    func leftovers() async throws {
        try await Self.with(connections: 1) { dataPlane in
            struct Mishap: Error {}
            let (a, b) = (TenantContext.test(), TenantContext.test())
            for _ in 0..<10 {
                await #expect(throws: Mishap.self) {
                    try await dataPlane.write(a, as: Self.orders) {
                        _ = try await $0.rowsWriting(Self.insertion(for: a.tenantID))
                        throw Mishap()
                    }
                }
                let seen = try await dataPlane.query(b, as: Self.orders, "SELECT count(*) FROM orders.orders")
                #expect(try seen[0].decode(Int64.self) == 0)
            }
        }
    }

    @Test("a signature that is bound to a server process is refused by another, so the setting is needed")
    func boundSignature() async throws {
        try await Self.with(connections: 1, throughPooler: false) { dataPlane in
            // What the pooler tells of its own as the server's process is none.
            let error = await #expect(throws: PostgresError.self) {
                _ = try await dataPlane.query(.test(), as: Self.orders, "SELECT 1")
            }
            #expect(error?.sqlState == "AT003")
        }
    }
}

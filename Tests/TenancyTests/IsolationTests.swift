import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

/// Runs against the tables of Orders; every tenant table is made by the same procedure, which the guard holds them to.
@Suite("A transaction of one tenant")
struct IsolationTests {
    private static let orders = ContextRole.app("orders")

    private static func insertion(_ id: Identifier<Void>, tenant: TenantID) -> SQL {
        """
        INSERT INTO orders.orders (tenant_id, id, customer_id, currency, state, total_minor, created_at, updated_at, version)
        VALUES (\(tenant), \(id), \(id), 'EUR', 'draft', 1, now(), now(), 1)
        """
    }

    private static func count(_ plane: TestDataPlane, _ tenant: TenantContext, _ sql: SQL) async throws -> Int64 {
        try await plane.dataPlane.query(tenant, as: orders, sql)[0].decode(Int64.self)
    }

    @Test("sees its own rows and nobody else's, whatever the query forgets")
    func otherTenantsRows() async throws {
        try await TestDataPlane.with { plane in
            let (a, b) = (TenantContext.test(), TenantContext.test())
            for tenant in [a, b] {
                try await plane.dataPlane.write(tenant, as: Self.orders) {
                    $0.enqueue(Self.insertion(IdentifierSource.system.next(), tenant: tenant.tenantID))
                }
            }
            #expect(try await Self.count(plane, a, "SELECT count(*) FROM orders.orders") == 1)
            #expect(
                try await Self.count(
                    plane, a, "SELECT count(*) FROM orders.orders WHERE tenant_id = \(b.tenantID)") == 0)
            let touched = try await plane.dataPlane.write(a, as: Self.orders) {
                try await $0.rowsWriting("UPDATE orders.orders SET total_minor = 9 RETURNING tenant_id")
            }
            #expect(try touched.map { try $0.decode(TenantID.self) } == [a.tenantID])
        }
    }

    @Test("can't write a row of another tenant")
    func foreignInsert() async throws {
        try await TestDataPlane.with { plane in
            let (a, b) = (TenantContext.test(), TenantContext.test())
            let error = await #expect(throws: PostgresError.self) {
                try await plane.dataPlane.write(a, as: Self.orders) {
                    $0.enqueue(Self.insertion(IdentifierSource.system.next(), tenant: b.tenantID))
                }
            }
            #expect(error?.sqlState == "42501")
            let count = try await plane.asSuperuser("SELECT count(*) FROM orders.orders")[0].decode(Int64.self)
            #expect(count == 0)
        }
    }

    @Test("may use an identifier that another tenant has: no key tells of foreign rows")
    func sameKey() async throws {
        try await TestDataPlane.with { plane in
            let id: Identifier<Void> = IdentifierSource.system.next()
            for tenant in [TenantContext.test(), .test()] {
                try await plane.dataPlane.write(tenant, as: Self.orders) {
                    $0.enqueue(Self.insertion(id, tenant: tenant.tenantID))
                }
            }
            #expect(try await plane.asSuperuser("SELECT count(*) FROM orders.orders")[0].decode(Int64.self) == 2)
        }
    }

    @Test(
        "can't reach another context's schema", arguments: ["identity.tenants", "billing.invoices", "metering.inbox"])
    func foreignSchema(_ table: String) async throws {
        try await TestDataPlane.with { plane in
            let error = await #expect(throws: PostgresError.self) {
                _ = try await plane.dataPlane.query(.test(), as: Self.orders, "SELECT 1 FROM \(unsafeSQL: table)")
            }
            #expect(error?.sqlState == "42501")
        }
    }

    @Test("can't change its context's history")
    func appendOnlyHistory() async throws {
        try await TestDataPlane.with { plane in
            for sql: SQL in ["DELETE FROM orders.order_history", "UPDATE orders.order_history SET actor = 'me'"] {
                let error = await #expect(throws: PostgresError.self) {
                    try await plane.dataPlane.write(.test(), as: Self.orders) { $0.enqueue(sql) }
                }
                #expect(error?.sqlState == "42501")
            }
        }
    }

    @Test("leaves nothing of itself to the next user of its connection")
    func cleanConnection() async throws {
        try await TestDataPlane.with(maximum: 1) { plane in
            let a = TenantContext.test()
            try await plane.dataPlane.write(a, as: Self.orders) {
                $0.enqueue(Self.insertion(IdentifierSource.system.next(), tenant: a.tenantID))
            }
            try await plane.pool.withConnection { connection in
                let results = try await connection.flight(
                    [
                        Statement("SELECT coalesce(current_setting('atrium.tenant_id', true), '')"),
                        Statement("SELECT current_user::text"),
                    ], deadline: nil)
                #expect(try results[0][0].decode(String.self) == "")
                #expect(try results[1][0].decode(String.self) == "atrium_app")
            }
            let error = await #expect(throws: PostgresError.self) {
                try await plane.pool.withConnection {
                    _ = try await $0.flight([Statement("SELECT 1 FROM orders.orders")], deadline: nil)
                }
            }
            #expect(error?.sqlState == "42501")
        }
    }

    @Test("without a tenant sees no row and writes none")
    func noTenant() async throws {
        try await TestDataPlane.with { plane in
            let a = TenantContext.test()
            try await plane.dataPlane.write(a, as: Self.orders) {
                $0.enqueue(Self.insertion(IdentifierSource.system.next(), tenant: a.tenantID))
            }
            try await plane.pool.withConnection { connection in
                for setting: SQL in ["RESET atrium.tenant_id", "SET LOCAL atrium.tenant_id = ''"] {
                    let results = try await connection.flight(
                        [
                            Statement("BEGIN"), Statement("SET LOCAL ROLE orders_app"), Statement(setting),
                            Statement("SELECT count(*) FROM orders.orders"), Statement("ROLLBACK"),
                        ], deadline: nil)
                    #expect(try results[3][0].decode(Int64.self) == 0)
                }
            }
            let error = await #expect(throws: PostgresError.self) {
                try await plane.pool.withConnection { connection in
                    _ = try await connection.flight(
                        [
                            Statement("BEGIN"), Statement("SET LOCAL ROLE orders_app"),
                            Statement(Self.insertion(IdentifierSource.system.next(), tenant: a.tenantID)),
                        ], deadline: nil)
                }
            }
            #expect(error?.sqlState == "42501")
        }
    }

    @Test(
        "can't be moved to another tenant or role by an expression inside a query",
        arguments: [
            "SELECT set_config('atrium.tenant_id', gen_random_uuid()::text, true)",
            "SELECT set_config('role', 'identity_control', true)",
            "UPDATE pg_settings SET setting = 'x' WHERE name = 'search_path'",
            "SELECT query_to_xml('SELECT set_config(''role'', ''identity_control'', true)', true, true, '')",
        ])
    func smuggledExpression(_ sql: String) async throws {
        try await TestDataPlane.with { plane in
            let error = await #expect(throws: PostgresError.self) {
                _ = try await plane.dataPlane.write(.test(), as: Self.orders) {
                    try await $0.rowsWriting("\(unsafeSQL: sql)")
                }
            }
            #expect(error?.sqlState == "42501")
        }
    }

    @Test("of a worker sees every tenant's outbox and no aggregate")
    func worker() async throws {
        try await TestDataPlane.with { plane in
            let rows = try await plane.dataPlane.crossTenant(
                as: .worker("orders"), reason: "test", logger: .silent
            ) { try await $0.rows("SELECT count(*) FROM orders.outbox") }
            #expect(rows.count == 1)
            for sql: SQL in ["SELECT 1 FROM orders.orders", "SELECT 1 FROM billing.outbox"] {
                let error = await #expect(throws: PostgresError.self) {
                    _ = try await plane.dataPlane.crossTenant(
                        as: .worker("orders"), reason: "test", logger: .silent
                    ) { try await $0.rows(sql) }
                }
                #expect(error?.sqlState == "42501")
            }
        }
    }
}

import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

/// The ways that SQL has of touching a row without naming it plainly, tried on the other tenant's row.
@Suite("Another tenant's row")
struct StatementTests {
    @Test("is out of reach of every kind of statement", arguments: Tier.allCases)
    func statements(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            let before = try await pair.stateOfB()
            let (b, order) = (pair.b.tenantID, pair.orderOfB)
            let touching: [SQL] = [
                "UPDATE orders.orders SET total_minor = 7 WHERE tenant_id = \(b)",
                "UPDATE orders.orders SET total_minor = 7 WHERE id = \(order) RETURNING *",
                "DELETE FROM orders.order_lines WHERE tenant_id = \(b) AND order_id = \(order)",
                "SELECT * FROM orders.orders WHERE id = \(order) FOR UPDATE",
                "SELECT * FROM orders.orders WHERE id = \(order) FOR NO KEY UPDATE SKIP LOCKED",
                "SELECT * FROM orders.orders TABLESAMPLE BERNOULLI (100) WHERE id = \(order)",
                "SELECT * FROM orders.orders TABLESAMPLE SYSTEM (100) REPEATABLE (1) WHERE tenant_id <> platform.tenant_id()",
                """
                MERGE INTO orders.orders o USING (VALUES (\(b), \(order))) AS s (tenant, id)
                ON o.tenant_id = s.tenant AND o.id = s.id WHEN MATCHED THEN UPDATE SET total_minor = 7
                """,
                "WITH changed AS (UPDATE orders.orders SET total_minor = 7 WHERE id = \(order) RETURNING *) SELECT * FROM changed",
                """
                WITH gone AS (DELETE FROM orders.order_lines WHERE order_id = \(order) RETURNING *),
                seen AS (SELECT * FROM orders.orders WHERE id = \(order)) SELECT g.sku FROM gone g FULL JOIN seen s ON true
                """,
                "SELECT * FROM orders.orders o, LATERAL (SELECT * FROM orders.order_lines l WHERE l.tenant_id = \(b)) l",
                "TABLE orders.order_lines EXCEPT SELECT * FROM orders.order_lines WHERE tenant_id = platform.tenant_id()",
            ]
            for sql in touching {
                let rows = try await pair.run(sql, as: pair.a)
                #expect(rows.affected == 0 && rows.isEmpty, "\(sql)")
            }
            #expect(try await pair.stateOfB() == before)
        }
    }

    @Test("is no conflict, and ON CONFLICT does not lead to it", arguments: Tier.allCases)
    func onConflict(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            let before = try await pair.stateOfB()
            let update: SQL = "ON CONFLICT (tenant_id, id) DO UPDATE SET total_minor = 7 RETURNING tenant_id"
            let own = try await pair.run(
                "\(Neighbours.insertion(pair.orderOfB, tenant: pair.a.tenantID)) \(update)", as: pair.a)
            #expect(try own.map { try $0.decode(TenantID.self) } == [pair.a.tenantID])
            for sql: SQL in [
                "\(Neighbours.insertion(pair.orderOfB, tenant: pair.b.tenantID)) \(update)",
                "\(Neighbours.insertion(pair.orderOfB, tenant: pair.b.tenantID)) ON CONFLICT DO NOTHING",
                """
                MERGE INTO orders.orders o USING (VALUES (\(pair.b.tenantID), \(pair.orderOfB))) AS s (tenant, id)
                ON o.tenant_id = s.tenant AND o.id = s.id WHEN MATCHED THEN UPDATE SET total_minor = 7
                WHEN NOT MATCHED THEN INSERT (tenant_id, id, customer_id, currency, state, total_minor, created_at, \
                updated_at, version) VALUES (s.tenant, s.id, s.id, 'EUR', 'draft', 1, now(), now(), 1)
                """,
            ] {
                #expect(try await pair.refusal(sql, as: pair.a)?.sqlState == "42501", "\(sql)")
            }
            #expect(try await pair.stateOfB() == before)
        }
    }

    @Test("is in no cursor", arguments: Tier.allCases)
    func cursor(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            let before = try await pair.stateOfB()
            try await pair.raw(pair.a, entering: true) { connection, schemas in
                let table = schemas.resolve("orders.orders", context: "orders")
                let results = try await connection.flight([
                    Statement("DECLARE c CURSOR FOR SELECT tenant_id FROM \(unsafeSQL: table) FOR UPDATE"),
                    Statement("FETCH ALL FROM c"),
                ])
                #expect(try results[1].map { try $0.decode(TenantID.self) } == [pair.a.tenantID])
                let error = await #expect(throws: PostgresError.self) {
                    _ = try await connection.flight([
                        Statement(
                            "DECLARE d CURSOR FOR SELECT * FROM \(unsafeSQL: table) WHERE id = \(pair.orderOfB) FOR UPDATE"
                        ),
                        Statement("FETCH d"),
                        Statement("UPDATE \(unsafeSQL: table) SET total_minor = 7 WHERE CURRENT OF d"),
                    ])
                }
                // The cursor stands on no row.
                #expect(error?.sqlState == "24000")
            }
            #expect(try await pair.stateOfB() == before)
        }
    }

    @Test("is shown neither to cheap functions nor to leaky operators", arguments: Tier.allCases)
    func leaks(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            for tenant in [pair.a, pair.b] {
                // Planner and executor would rather call these first, and they complain of what they are shown.
                for sql: SQL in [
                    """
                    CREATE OR REPLACE FUNCTION public.f_leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
                    BEGIN IF $1 = 'secret-of-b' THEN RAISE EXCEPTION 'leaked' USING ERRCODE = 'P0666'; END IF; RETURN true; END $$
                    """,
                    """
                    CREATE OR REPLACE FUNCTION public.f_less(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0000001 AS $$
                    BEGIN IF $1 = 'secret-of-b' OR $2 = 'secret-of-b' THEN RAISE EXCEPTION 'leaked' USING ERRCODE = 'P0666'; END IF;
                    RETURN $1 < $2; END $$
                    """,
                    """
                    DO LANGUAGE plpgsql $$ BEGIN
                        CREATE OPERATOR public.<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = public.f_less, RESTRICT = scalarltsel);
                    EXCEPTION WHEN duplicate_function THEN NULL; END $$
                    """,
                    "GRANT USAGE ON SCHEMA public TO PUBLIC",
                    "ANALYZE orders.order_lines",
                ] { try await pair.look(at: tenant, sql) }
            }
            for condition: SQL in [
                "public.f_leak(sku)", "sku OPERATOR(public.<<<) 'zzz'", "NOT sku OPERATOR(public.<<<) 'a'",
                "EXISTS (SELECT FROM orders.order_lines l WHERE public.f_leak(l.sku) AND l.order_id = o.order_id)",
                "CASE WHEN public.f_leak(sku) THEN true END",
            ] {
                #expect(
                    try await pair.number("SELECT count(*) FROM orders.order_lines o WHERE \(condition)", as: pair.a)
                        == 1,
                    "\(condition)")
            }
            // The function does complain of what it is shown.
            #expect(
                try await pair.refusal("SELECT count(*) FROM orders.order_lines WHERE public.f_leak(sku)", as: pair.b)?
                    .sqlState == "P0666")
        }
    }
}

import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

/// The same behaviour on every tier: what the application is answered does not tell where the other tenant's rows are.
@Suite("Rows of two tenants")
struct RowTests {
    @Test("are seen by their own tenant alone, whatever the query forgets", arguments: Tier.allCases)
    func reading(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            #expect(try await pair.number("SELECT count(*) FROM orders.orders", as: pair.a) == 1)
            #expect(
                try await pair.number(
                    "SELECT count(*) FROM orders.orders WHERE tenant_id = \(pair.b.tenantID)", as: pair.a) == 0)
            #expect(
                try await pair.number("SELECT count(*) FROM orders.orders WHERE id = \(pair.orderOfB)", as: pair.a)
                    == 0)
            let touched = try await pair.run("UPDATE orders.orders SET total_minor = 9 RETURNING tenant_id", as: pair.a)
            #expect(try touched.map { try $0.decode(TenantID.self) } == [pair.a.tenantID])
            let deleted = try await pair.run("DELETE FROM orders.order_lines RETURNING tenant_id", as: pair.a)
            #expect(try deleted.map { try $0.decode(TenantID.self) } == [pair.a.tenantID])
            #expect(try await pair.stateOfB().count == 1)
        }
    }

    @Test("do not exist for a transaction without a context, nor can any be written", arguments: Tier.allCases)
    func noContext(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            for tenant in [pair.a, pair.b] {
                for (statement, expected) in [
                    ("SELECT FROM orders.orders", 0), ("UPDATE orders.orders SET total_minor = 9", 0),
                    ("DELETE FROM orders.order_lines", 0),
                ] as [(SQL, Int)] {
                    let affected = try await pair.raw(tenant) { connection, schemas in
                        try await connection.query(resolved(statement, schemas)).affected
                    }
                    #expect(affected == expected, "\(statement)")
                }
                let error = await #expect(throws: PostgresError.self) {
                    try await pair.raw(tenant) { connection, schemas in
                        let id: Identifier<Void> = IdentifierSource.system.next()
                        _ = try await connection.query(
                            resolved(Neighbours.insertion(id, tenant: tenant.tenantID), schemas))
                    }
                }
                #expect(error?.sqlState == "42501")
            }
        }
    }

    @Test("can't be inserted for another tenant", arguments: Tier.allCases)
    func foreignInsert(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            let before = try await pair.stateOfB()
            for suffix: SQL in ["", " RETURNING id"] {
                let id: Identifier<Void> = IdentifierSource.system.next()
                let error = try await pair.refusal(
                    "\(Neighbours.insertion(id, tenant: pair.b.tenantID))\(suffix)", as: pair.a)
                #expect(error?.sqlState == "42501", "\(suffix)")
            }
            #expect(try await pair.stateOfB() == before)
        }
    }

    @Test("can't be handed to another tenant", arguments: Tier.allCases)
    func foreignUpdate(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            for isGranted in [false, true] {
                // The right to change the column is missing in the first place; the policy must hold without that.
                if isGranted {
                    try await pair.look(at: pair.a, "GRANT UPDATE (tenant_id) ON orders.order_lines TO orders_app")
                }
                for suffix: SQL in ["", " RETURNING number"] {
                    let error = try await pair.refusal(
                        "UPDATE orders.order_lines SET tenant_id = \(pair.b.tenantID)\(suffix)", as: pair.a)
                    #expect(error?.sqlState == "42501", "\(suffix)")
                    #expect(error?.message.contains("row-level security") == isGranted)
                }
            }
        }
    }

    @Test("may have the same keys", arguments: Tier.allCases)
    func sameKey(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            try await pair.run(Neighbours.insertion(pair.orderOfB, tenant: pair.a.tenantID), as: pair.a)
            #expect(try await pair.number("SELECT count(*) FROM orders.orders", as: pair.a) == 2)
            #expect(try await pair.number("SELECT count(*) FROM orders.orders", as: pair.b) == 1)
            let again = try await pair.refusal(
                Neighbours.insertion(pair.orderOfB, tenant: pair.a.tenantID), as: pair.a)
            #expect(again?.sqlState == "23505")
        }
    }

    @Test("of another tenant are as unknown to a foreign key as ones that nobody has", arguments: Tier.allCases)
    func foreignKey(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            let unknown: Identifier<Void> = IdentifierSource.system.next()
            var answers: [[String?]] = []
            for order in [pair.orderOfB, unknown] {
                let error = try await pair.refusal(
                    Neighbours.line(of: order, tenant: pair.a.tenantID, sku: "x"), as: pair.a)
                answers.append([
                    error?.sqlState, error?.constraint, error?.message, error?.table,
                    error?.detail?.replacing(order.description, with: "…"), error?.description,
                ])
            }
            #expect(answers[0][0] == "23503")
            #expect(answers[0].dropLast() == answers[1].dropLast())
        }
    }

    @Test("of another tenant stay when a row with the same key takes its children with it", arguments: Tier.allCases)
    func cascade(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            for tenant in [pair.a, pair.b] {
                try await pair.look(
                    at: tenant,
                    """
                    ALTER TABLE orders.order_lines DROP CONSTRAINT order_lines_tenant_id_order_id_fkey, ADD FOREIGN KEY \
                    (tenant_id, order_id) REFERENCES orders.orders (tenant_id, id) ON DELETE CASCADE
                    """)
                try await pair.look(at: tenant, "GRANT DELETE ON orders.orders TO orders_app")
            }
            try await pair.run(Neighbours.insertion(pair.orderOfB, tenant: pair.a.tenantID), as: pair.a)
            try await pair.run(
                Neighbours.line(of: pair.orderOfB, tenant: pair.a.tenantID, sku: "mine"), as: pair.a)
            let before = try await pair.stateOfB()
            #expect(
                try await pair.run("DELETE FROM orders.orders WHERE id = \(pair.orderOfB)", as: pair.a).affected == 1)
            #expect(
                try await pair.number(
                    "SELECT count(*) FROM orders.order_lines WHERE order_id = \(pair.orderOfB)", as: pair.a) == 0)
            #expect(try await pair.stateOfB() == before)
        }
    }

    private func resolved(_ sql: SQL, _ schemas: SchemaSet) -> SQL {
        sql.replacingText(with: schemas.resolve(sql.text, context: "orders"))
    }
}

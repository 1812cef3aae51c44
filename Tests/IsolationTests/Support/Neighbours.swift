import DevStack
import Kernel
import Postgres
import TestSupport

@testable import Tenancy

/// Two tenants beside each other in one tier, each with an order whose line holds a secret.
struct Neighbours: Sendable {
    let plane: TestDataPlane
    let a: TenantContext
    let b: TenantContext
    let orderOfA: Identifier<Void>
    let orderOfB: Identifier<Void>

    static let orders = ContextRole.app("orders")
    static let secretOfA = "secret-of-a"
    static let secretOfB = "secret-of-b"

    static func with(
        _ tier: Tier, maximum: Int = 4, _ body: @Sendable (Neighbours) async throws -> Void
    ) async throws {
        try await TestDataPlane.with(maximum: maximum, tier: tier) { plane in
            let pair = Neighbours(
                plane: plane, a: .test(), b: .test(), orderOfA: IdentifierSource.system.next(),
                orderOfB: IdentifierSource.system.next())
            try await pair.place(pair.orderOfA, of: pair.a, sku: secretOfA)
            try await pair.place(pair.orderOfB, of: pair.b, sku: secretOfB)
            try await body(pair)
        }
    }

    private func place(_ order: Identifier<Void>, of tenant: TenantContext, sku: String) async throws {
        try await plane.dataPlane.write(tenant, as: Self.orders) {
            $0.enqueue(Self.insertion(order, tenant: tenant.tenantID))
            $0.enqueue(Self.line(of: order, tenant: tenant.tenantID, sku: sku))
        }
    }

    // MARK: As the program does it

    /// Runs a statement in a transaction of the tenant, and commits.
    @discardableResult
    func run(_ sql: SQL, as tenant: TenantContext, role: ContextRole = orders) async throws -> Rows {
        try await plane.dataPlane.write(tenant, as: role) { try await $0.rowsWriting(sql) }
    }

    func number(_ sql: SQL, as tenant: TenantContext, role: ContextRole = orders) async throws -> Int64 {
        try await run(sql, as: tenant, role: role)[0].decode(Int64.self)
    }

    /// What the statement was refused with; `nil` where it was not.
    func refusal(_ sql: SQL, as tenant: TenantContext, role: ContextRole = orders) async throws -> PostgresError? {
        do {
            try await run(sql, as: tenant, role: role)
            return nil
        } catch let error as PostgresError {
            return error
        }
    }

    // MARK: Past the data plane

    /// A connection of the tenant's pool, in a transaction with the role but no context, unless statements make one.
    func raw<Result>(
        _ tenant: TenantContext, role: String = "orders_app", entering: Bool = false,
        _ body: (PostgresConnection, SchemaSet) async throws -> Result
    ) async throws -> Result {
        let place = try await plane.dataPlane.residence(of: tenant.tenantID).placement
        return try await plane.fleet.database(place.database).primary.withConnection { connection in
            let entrance: [Statement] =
                entering
                ? ContextSigner(TestDataPlane.contextKey).entering(role, for: tenant.tenantID, on: connection)
                : [Statement("SET LOCAL ROLE \(identifier: role)")]
            _ = try await connection.flight([Statement("BEGIN")] + entrance)
            let result = try await body(connection, place.schemas)
            if connection.isInTransaction { _ = try await connection.flight([Statement("ROLLBACK")]) }
            return result
        }
    }

    // MARK: Past every fence

    /// A superuser's look at where the tenant lives; `orders.orders` is the tenant's own there.
    @discardableResult
    func look(at tenant: TenantContext, _ sql: SQL) async throws -> Rows {
        let place = try await plane.dataPlane.residence(of: tenant.tenantID).placement
        return try await PostgresConnection.execute(
            sql.replacingText(with: place.schemas.resolve(sql.text, context: "orders")),
            at: plane.database.address.database(place.database.name))
    }

    /// B's order and line, as they lie in the database: what nothing that A does may change.
    func stateOfB() async throws -> [String] {
        try await look(
            at: b,
            """
            SELECT row(o.*)::text || row(l.*)::text FROM orders.orders o LEFT JOIN orders.order_lines l \
            ON l.tenant_id = o.tenant_id AND l.order_id = o.id WHERE o.tenant_id = \(b.tenantID) ORDER BY 1
            """
        ).map { try $0.decode(String.self) }
    }

    // MARK: Statements

    static func insertion(_ id: Identifier<Void>, tenant: TenantID) -> SQL {
        """
        INSERT INTO orders.orders (tenant_id, id, customer_id, currency, state, total_minor, created_at, updated_at, version)
        VALUES (\(tenant), \(id), \(id), 'EUR', 'draft', 1, now(), now(), 1)
        """
    }

    static func line(of order: Identifier<Void>, tenant: TenantID, sku: String) -> SQL {
        """
        INSERT INTO orders.order_lines (tenant_id, order_id, number, sku, quantity, unit_price_minor)
        VALUES (\(tenant), \(order), 1, \(sku), 1, 1)
        """
    }
}

import Kernel
import Logging
import Postgres
import Tenancy

/// What every canary has for the other to reach for: an order, which goes by the canary's own UUID, and a key.
enum CanaryOrder {
    static let bait = CanaryBait(
        role: .app("orders"),
        count: { "SELECT count(*) FROM orders.orders WHERE tenant_id = \($0) AND id = \($0)" },
        change: { "UPDATE orders.orders SET version = version WHERE tenant_id = \($0) AND id = \($0)" },
        copy: { order(IdentifierSource.system.next(TenantID.self), of: $0) })

    /// Lays both down where they are not there yet. Nobody is told of either: they are not orders that anybody placed.
    static func lay(_ tenant: TenantID, secret: [UInt8], in dataPlane: DataPlane, logger: Logger) async throws {
        let context = TenantContext.canary(tenant, logger)
        try await dataPlane.write(context, as: bait.role) { transaction in
            transaction.enqueue("\(order(tenant, of: tenant)) ON CONFLICT (tenant_id, id) DO NOTHING")
            transaction.enqueue(
                """
                INSERT INTO orders.order_lines (tenant_id, order_id, number, sku, quantity, unit_price_minor)
                VALUES (\(tenant), \(tenant), 1, 'CANARY', 1, 1) ON CONFLICT DO NOTHING
                """)
        }
        let key = CanaryKey(of: tenant, secret: secret)
        try await dataPlane.write(context, as: .app("identity")) { transaction in
            transaction.enqueue(
                """
                INSERT INTO identity.api_keys (tenant_id, key_id, name, permission, digest, created_by, created_at, version)
                VALUES (\(tenant), \(key.id), 'Canary', 'write', \(key.digest), 'canaries', now(), 1) ON CONFLICT DO NOTHING
                """)
        }
    }

    private static func order(_ id: TenantID, of tenant: TenantID) -> SQL {
        """
        INSERT INTO orders.orders (tenant_id, id, customer_id, currency, state, total_minor, created_at, updated_at, version)
        VALUES (\(tenant), \(id), \(id), 'EUR', 'draft', 1, now(), now(), 1)
        """
    }
}

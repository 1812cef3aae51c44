import DevStack
import Foundation
import Kernel
import Postgres
import Synchronization
import Tenancy
import TestSupport

/// Tenants on record in a control plane, each with the place that it is on record with.
struct PlacementWorld: Sendable {
    let plane: TestDataPlane
    let builder: TenantBuilder
    private let silos = Silos()

    static let contexts: [ContextRole] = [.app("identity"), .app("orders"), .app("billing"), .app("metering")]
    static let skus: [Tier: String] = [.pool: "growth", .bridge: "scale", .silo: "enterprise"]

    static func with(_ body: @Sendable (PlacementWorld) async throws -> Void) async throws {
        try await TestDataPlane.with { plane in
            let world = PlacementWorld(
                plane: plane,
                builder: TenantBuilder(
                    fleet: plane.fleet, files: try TestDataPlane.files(), contextKey: TestDataPlane.contextKey,
                    logger: .silent))
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await body(world)) } catch { outcome = .failure(error) }
            // Apart from the test's task, which may be cancelled by now.
            try await Task {
                for name in world.silos.names.withLock({ $0 }) {
                    try await PostgresConnection.execute(
                        "DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)", at: plane.database.address)
                }
            }.value
            try outcome.get()
        }
    }

    /// Puts a tenant on record, with the rows that a registration makes, and builds its place.
    @discardableResult
    func add(_ slug: String, _ tier: Tier, state: String = "active", isBuilt: Bool = true) async throws -> TenantID {
        let id: TenantID = IdentifierSource.system.next()
        let name = tier == .silo ? "atrium_t\(id.hexDigits)" : "home"
        if tier == .silo { silos.names.withLock { $0.append(name) } }
        let decision: Identifier<Void> = IdentifierSource.system.next()
        for statement in [
            """
            INSERT INTO control.tenants (tenant_id, slug, slug_likeness, name, sku, region, state, registered_at,
                updated_at, version)
            VALUES (\(id), \(slug), \(slug), 'A tenant', \(Self.skus[tier]!), 'eu-central', \(state), now(), now(), 1)
            """,
            """
            INSERT INTO control.placements (tenant_id, tier, server, database, is_override, decided_at)
            VALUES (\(id), \(tier.rawValue), 'home', \(name), false, now())
            """,
            """
            INSERT INTO control.routing_decisions (id, tenant_id, slug, sku, region, tier, server, database, rule,
                reason, actor, decided_at)
            VALUES (\(decision), \(id), \(slug), \(Self.skus[tier]!), 'eu-central', \(tier.rawValue), 'home', \(name), 1,
                'as sold', 'operator', now())
            """,
        ] as [SQL] { try await plane.asSuperuser(statement) }
        if state == "pending" {
            try await plane.asSuperuser(
                """
                INSERT INTO control.registrations (tenant_id, key, sealed_fingerprint, administrator_id, key_id, salt,
                    started_at)
                VALUES (\(id), \("key of \(slug)"), '', \(id), \(id), \([UInt8](repeating: 7, count: 16)), now())
                """)
        }
        guard isBuilt else { return id }
        try await builder.build(placement(of: id, tier), of: id)
        if tier == .silo {
            try await plane.asSuperuser(
                """
                INSERT INTO control.databases (name, server, database_name, silo_of)
                VALUES (\(name), 'home', \(name), \(id))
                """)
        }
        return id
    }

    func placement(of id: TenantID, _ tier: Tier) -> Placement {
        let database =
            tier == .silo ? DatabaseID(server: "home", name: "atrium_t\(id.hexDigits)") : plane.fleet.control
        return Placement(tier: tier, database: database, of: id)
    }

    /// Past every fence, in the control plane's database or in another.
    @discardableResult
    func execute(_ text: String, in database: String? = nil) async throws -> Rows {
        try await PostgresConnection.execute(
            "\(unsafeSQL: text)", at: plane.database.address.database(database ?? plane.database.name))
    }

    func count(_ table: String, _ condition: String = "true", in database: String? = nil) async throws -> Int {
        try await execute("SELECT count(*) FROM \(table) WHERE \(condition)", in: database)[0].decode(Int.self)
    }

    /// What an order of the tenant looks like in a table.
    func insertOrder(of id: TenantID, into table: String, in database: String? = nil) async throws {
        try await execute(
            """
            INSERT INTO \(table) (tenant_id, id, customer_id, currency, state, total_minor, created_at, updated_at, version)
            VALUES ('\(id)', gen_random_uuid(), gen_random_uuid(), 'EUR', 'draft', 0, now(), now(), 1)
            """, in: database)
    }

    /// What the audit finds, without the silos of tests that run beside this one on the same server.
    func audit(only slug: String? = nil) async throws -> [String] {
        let known = silos.names.withLock { $0 }
        return try await PlacementAudit(
            plane: plane.dataPlane, files: TestDataPlane.files(), contexts: Self.contexts, logger: .silent
        ).run(only: slug).map(\.description).filter { finding in
            !finding.contains("in a silo for database") || known.contains { finding.contains($0) }
        }
    }

    func keepTrack(of silo: String) {
        silos.names.withLock { $0.append(silo) }
    }

    private final class Silos: Sendable {
        let names = Mutex<[String]>([])
    }
}

import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("The audit of places")
struct PlacementAuditTests {
    struct Tenants: Sendable {
        let pool: TenantID
        let bridge: TenantID
        let silo: TenantID

        /// In the names of the bridge tenant's schemas.
        var own: String { "t\(bridge.hexDigits)" }
        var siloDatabase: String { "atrium_t\(silo.hexDigits)" }
    }

    private static func with(
        _ body: @Sendable (PlacementWorld, Tenants) async throws -> Void
    ) async throws {
        try await PlacementWorld.with { world in
            let tenants = Tenants(
                pool: try await world.add("pooled", .pool), bridge: try await world.add("bridged", .bridge),
                silo: try await world.add("siloed", .silo))
            try await world.insertOrder(of: tenants.pool, into: "orders.orders")
            try await world.insertOrder(of: tenants.bridge, into: "orders__\(tenants.own).orders")
            try await world.insertOrder(of: tenants.silo, into: "orders.orders", in: tenants.siloDatabase)
            // The backbone's tables are shared with those on the bridge.
            try await world.execute(
                "INSERT INTO orders.inbox (tenant_id, event_id, reaction) VALUES ('\(tenants.bridge)', gen_random_uuid(), 'x')"
            )
            try await body(world, tenants)
        }
    }

    @Test("finds nothing where every tenant lives as it was sold")
    func clean() async throws {
        try await Self.with { world, _ in
            let findings = try await world.audit()
            #expect(findings == [])
        }
    }

    @Test(
        "names a tenant whose records contradict each other, what was expected and what was found",
        arguments: [
            (
                "UPDATE control.tenants SET sku = 'enterprise' WHERE slug = 'pooled'",
                "pooled: expected tier silo, which SKU enterprise is sold with; found tier pool"
            ),
            (
                "UPDATE control.routing_decisions SET tier = 'pool' WHERE slug = 'bridged'",
                "bridged: expected pool on server home in database home, as was decided last; found bridge on server home"
            ),
            (
                "UPDATE control.placements SET is_override = true WHERE tier = 'bridge'",
                "bridged: expected the decision of a person"
            ),
            ("DELETE FROM control.routing_decisions WHERE slug = 'siloed'", "siloed: expected a decision why"),
            ("DELETE FROM control.placements WHERE tier = 'pool'", "pooled: expected a placement; found none"),
            (
                "UPDATE control.servers SET region = 'us-east'",
                "siloed: expected a server in region eu-central; found server home in region us-east"
            ),
            (
                "UPDATE control.databases SET silo_of = NULL WHERE silo_of IS NOT NULL",
                "siloed: expected a database of its own; found atrium_t"
            ),
            (
                "DELETE FROM control.databases WHERE silo_of IS NOT NULL", "which is not in control.databases"
            ),
        ])
    func contradiction(_ sql: String, _ finding: String) async throws {
        try await Self.with { world, _ in
            try await world.execute(sql)
            let findings = try await world.audit()
            #expect(findings.contains { $0.contains(finding) }, "\(findings)")
        }
    }

    @Test("accepts another tier than the sold one where a person has decided so")
    func override() async throws {
        try await Self.with { world, tenants in
            try await world.execute("UPDATE control.tenants SET sku = 'enterprise' WHERE slug = 'pooled'")
            try await world.execute(
                "UPDATE control.placements SET is_override = true WHERE tenant_id = '\(tenants.pool)'")
            try await world.execute("UPDATE control.routing_decisions SET rule = NULL WHERE slug = 'pooled'")
            #expect(try await world.audit() == [])
        }
    }

    @Test("names schemas and databases that are missing or incomplete")
    func absence() async throws {
        try await Self.with { world, tenants in
            try await world.execute("DROP SCHEMA billing__\(tenants.own) CASCADE")
            try await world.execute(
                "DELETE FROM atrium_migrations.applied WHERE schema_name = 'orders__\(tenants.own)'")
            try await world.execute(
                "DELETE FROM atrium_migrations.applied WHERE schema_name = 'metering'", in: tenants.siloDatabase)
            let findings = try await world.audit()
            for finding in [
                "bridged: expected schema billing__\(tenants.own) in \(world.plane.fleet.control), complete; found no such",
                "bridged: expected schema orders__\(tenants.own) in \(world.plane.fleet.control), complete; found one without",
                "siloed: expected schema metering in home/\(tenants.siloDatabase), complete; found one without metering/0001",
            ] { #expect(findings.contains { $0.contains(finding) }, "\(findings)") }
            #expect(findings.count == 3)
        }
    }

    @Test("names a silo whose database is gone")
    func absentDatabase() async throws {
        try await Self.with { world, tenants in
            try await world.execute("DROP DATABASE \(tenants.siloDatabase) WITH (FORCE)")
            let findings = try await world.audit()
            #expect(findings.count == 2, "\(findings)")
            #expect(findings.first?.hasPrefix("siloed: expected database home/\(tenants.siloDatabase)") == true)
            #expect(findings.last?.contains("which is registered as \(tenants.siloDatabase)") == true)
        }
    }

    @Test("names rows of a tenant wherever it does not live", arguments: Tier.allCases, Tier.allCases)
    func strayRows(_ owner: Tier, _ place: Tier) async throws {
        try await Self.with { world, tenants in
            let id = [Tier.pool: tenants.pool, .bridge: tenants.bridge, .silo: tenants.silo][owner]!
            let slug = [Tier.pool: "pooled", .bridge: "bridged", .silo: "siloed"][owner]!
            let schema = place == .bridge ? "orders__\(tenants.own)" : "orders"
            let database = place == .silo ? tenants.siloDatabase : world.plane.database.name
            try await world.execute("ALTER TABLE \(schema).orders DROP CONSTRAINT IF EXISTS own_tenant", in: database)
            try await world.insertOrder(of: id, into: "\(schema).orders", in: database)
            let findings = try await world.audit()
            if owner == place {
                #expect(findings == [])
            } else {
                #expect(findings.count == 1, "\(findings)")
                #expect(findings.first?.hasPrefix("\(slug): expected rows in \(owner.rawValue) on server home") == true)
                #expect(findings.first?.contains("found 1 in home/\(database), \(schema).orders") == true)
            }
            #expect(try await world.audit(only: "pooled").count == (owner == .pool && owner != place ? 1 : 0))
        }
    }

    @Test("names schemas and databases that belong to nobody")
    func debris() async throws {
        try await Self.with { world, tenants in
            let nobody: TenantID = IdentifierSource.system.next()
            let (schema, database) = ("orders__t\(nobody.hexDigits)", "atrium_t\(nobody.hexDigits)")
            // One who has moved off the bridge has left its schemas there.
            let moved = "metering__t\(tenants.pool.hexDigits)"
            try await world.execute("CREATE SCHEMA \(schema)")
            try await world.execute("CREATE SCHEMA \(moved)")
            world.keepTrack(of: database)
            try await world.execute("CREATE DATABASE \(database)")
            let findings = try await world.audit()
            #expect(findings.count == 3, "\(findings)")
            for finding in [
                "DROP SCHEMA \(schema) CASCADE", "DROP SCHEMA \(moved) CASCADE", "DROP DATABASE \(database)",
            ] {
                #expect(
                    findings.contains { $0.hasPrefix("-: expected a tenant") && $0.contains(finding) }, "\(findings)")
            }
            #expect(try await world.audit(only: "pooled") == [])
        }
    }

    @Test("names a database that is registered for a tenant that there is not")
    func orphan() async throws {
        try await Self.with { world, _ in
            let nobody: TenantID = IdentifierSource.system.next()
            try await world.execute(
                """
                INSERT INTO control.databases (name, server, database_name, silo_of)
                VALUES ('orphan', 'home', 'postgres', '\(nobody)')
                """)
            let findings = try await world.audit()
            #expect(findings.contains { $0.contains("expected a tenant \(nobody) that lives in home/postgres") })
        }
    }

    @Test("names a server that is on record and not configured here")
    func unconfiguredServer() async throws {
        try await Self.with { world, _ in
            try await world.execute("INSERT INTO control.servers (name) VALUES ('elsewhere')")
            let findings = try await world.audit()
            #expect(
                findings.contains { $0.contains("expected server elsewhere to answer; found server elsewhere is not") })
        }
    }

    @Test("names a tenant that has been pending for more than an hour, and no other")
    func pending() async throws {
        try await Self.with { world, _ in
            for tier in Tier.allCases { try await world.add("new-\(tier)", tier, state: "pending", isBuilt: false) }
            try await world.add("half-made", .bridge, state: "pending")
            #expect(try await world.audit() == [])
            try await world.execute(
                "UPDATE control.tenants SET registered_at = now() - interval '61 minutes' WHERE slug = 'new-silo'")
            let findings = try await world.audit()
            #expect(findings.count == 1 && findings[0].hasPrefix("new-silo: expected to be open within the hour"))
            #expect(findings.first?.contains("`atrium tenants abandon new-silo`") == true)
        }
    }

    @Test("throws where it is asked for a tenant that there is not")
    func unknown() async throws {
        try await PlacementWorld.with { world in
            await #expect(throws: UnknownSlug(slug: "nobody")) { try await world.audit(only: "nobody") }
        }
    }
}

import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("Abandoning a tenant")
struct TenantAbandonmentTests {
    private static func abandonment(
        _ world: PlacementWorld, plane: DataPlane? = nil, builder: TenantBuilder? = nil
    ) throws -> TenantAbandonment {
        TenantAbandonment(
            plane: plane ?? world.plane.dataPlane, builder: builder ?? world.builder, files: try TestDataPlane.files(),
            signer: ContextSigner(TestDataPlane.contextKey), logger: .silent)
    }

    /// The first administrator, as the step before the last of a registration leaves it.
    private static func furnish(_ world: PlacementWorld, _ id: TenantID, _ tier: Tier) async throws {
        let placement = world.placement(of: id, tier)
        try await world.execute(
            """
            INSERT INTO \(placement.schemas.name(of: "identity")).users
            VALUES ('\(id)', gen_random_uuid(), 'a@b.example', 'Ada', '$argon2id$', 'administrator', 'active', now(), now(), 1)
            """, in: placement.database.name)
    }

    @Test("removes what was made for it and frees its slug, and nobody else loses anything", arguments: Tier.allCases)
    func abandon(_ tier: Tier) async throws {
        try await PlacementWorld.with { world in
            let neighbour = try await world.add("neighbour", tier)
            let id = try await world.add("half-made", tier, state: "pending")
            for tenant in [neighbour, id] { try await Self.furnish(world, tenant, tier) }

            let placement = try await Self.abandonment(world).abandon("half-made")
            #expect(placement == world.placement(of: id, tier))
            for table in ["tenants", "placements", "registrations", "provisioning_steps"] {
                #expect(try await world.count("control.\(table)", "tenant_id = '\(id)'") == 0)
            }
            #expect(try await world.count("control.databases", "silo_of = '\(id)'") == 0)
            #expect(try await world.count("control.routing_decisions", "tenant_id = '\(id)'") == 1)
            #expect(try await world.count("identity.users", "tenant_id = '\(id)'") == 0)
            #expect(try await world.count("pg_namespace", "nspname ~ '\(id.hexDigits)'") == 0)
            #expect(try await world.count("pg_database", "datname ~ '\(id.hexDigits)'") == 0)

            let kept = world.placement(of: neighbour, tier)
            let users = "\(kept.schemas.name(of: "identity")).users"
            #expect(try await world.count(users, "tenant_id = '\(neighbour)'", in: kept.database.name) == 1)
            #expect(try await world.audit() == [])
            try await world.add("half-made", tier)
            await #expect(throws: AbandonmentRefused.open("half-made", state: "active")) {
                try await Self.abandonment(world).abandon("half-made")
            }
        }
    }

    @Test("goes on where it was cut off, and where nothing was made yet", arguments: Tier.allCases)
    func resume(_ tier: Tier) async throws {
        try await PlacementWorld.with { world in
            let id = try await world.add("half-made", tier, state: "pending")
            try await world.builder.demolish(world.placement(of: id, tier), of: id)
            _ = try await Self.abandonment(world).abandon("half-made")
            try await world.add("just-begun", tier, state: "pending", isBuilt: false)
            _ = try await Self.abandonment(world).abandon("just-begun")
            #expect(try await world.count("control.tenants") == 0)
            await #expect(throws: UnknownSlug(slug: "half-made")) {
                try await Self.abandonment(world).abandon("half-made")
            }
        }
    }

    @Test("waits for a registration that is running, and leaves a tenant alone that was opened meanwhile")
    func race() async throws {
        try await PlacementWorld.with { world in
            let id = try await world.add("half-made", .bridge, state: "pending")
            let registering = try await PostgresConnection.connect(
                ConnectionSettings(world.plane.database.url), logger: .silent)
            defer { registering.close() }
            _ = try await registering.flight([
                Statement("BEGIN"),
                Statement("SELECT pg_advisory_xact_lock(hashtextextended('registration key of half-made', 0))"),
            ])
            async let refused = Self.refusal { _ = try await Self.abandonment(world).abandon("half-made") }
            try await Waiting.until("the abandonment waits") {
                try await world.count(
                    "pg_locks JOIN pg_database d ON d.oid = database",
                    "datname = current_database() AND locktype = 'advisory' AND NOT granted") == 1
            }
            try await world.execute("UPDATE control.tenants SET state = 'active'")
            try await world.execute("DELETE FROM control.registrations")
            _ = try await registering.query("COMMIT")
            #expect(await refused == .open("half-made", state: "active"))
            #expect(try await world.count("pg_namespace", "nspname ~ '\(id.hexDigits)'") == 4)
            #expect(try await world.audit() == [])
        }
    }

    private static func refusal(_ body: () async throws -> Void) async -> AbandonmentRefused? {
        do { try await body() } catch { return error as? AbandonmentRefused }
        return nil
    }

    @Test("says which login it lacks, and has removed nothing", arguments: Tier.allCases)
    func noProvisioner(_ tier: Tier) async throws {
        try await PlacementWorld.with { world in
            try await world.add("half-made", tier, state: "pending")
            var server = try world.plane.database.server()
            server.provisioner = nil
            let fleet = DatabaseFleet(servers: [server], logger: .silent)
            let plane = DataPlane(
                fleet: fleet, locator: world.plane.homes, signer: ContextSigner(TestDataPlane.contextKey))
            let builder = TenantBuilder(
                fleet: fleet, files: try TestDataPlane.files(), contextKey: TestDataPlane.contextKey, logger: .silent)
            await #expect(throws: NoProvisioner.self) {
                try await Self.abandonment(world, plane: plane, builder: builder).abandon("half-made")
            }
            #expect(try await world.count("control.tenants") == 1)
            #expect(try await world.audit() == [])
            for database in fleet.opened { database.primary.close() }
        }
    }
}

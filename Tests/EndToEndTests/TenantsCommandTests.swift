import DevStack
import Foundation
import Kafka
import Kernel
import Postgres
import TestSupport
import Testing

@Suite("The operator's commands", .showsPrograms)
struct TenantsCommandTests {
    struct Ended: Sendable {
        let exit: ProgramExit
        let lines: [String]

        func has(_ text: String) -> Bool { lines.contains { $0.contains(text) } }
    }

    /// A cluster of its own: silos that other tests have on a shared one would be nobody's to the audit.
    private static func with(
        _ body: @Sendable (_ stack: Stack, _ environment: [String: String]) async throws -> Void
    ) async throws {
        try await PostgresServer.withDedicated { cluster in
            _ = try await cluster.primary.execute("CREATE DATABASE atrium")
            let database = cluster.primary.address.database("atrium")
            try await DatabaseTemplate.migrate(database)
            try await Stack.with(database) { try await body($0, $0.environment()) }
        }
    }

    private static func run(_ arguments: String..., environment: [String: String]) async throws -> Ended {
        let process = try await AtriumProcess.start(arguments, environment: environment, readyWhen: .none)
        let exit = try await process.waitForExit(within: .seconds(60))
        // Reads to the end of what it printed.
        _ = try await process.line(containing: "\u{0}")
        return Ended(exit: exit, lines: process.output)
    }

    private static func registerTenants(_ stack: Stack) async throws {
        try await stack.serving { _ in
            for (slug, tier) in [("pooled", Tier.pool), ("bridged", .bridge), ("siloed", .silo)] {
                _ = try await stack.register(slug, on: tier)
            }
        }
    }

    /// A registration that was cut off before anything was built.
    private static func leavePending(_ slug: String, in stack: Stack) async throws {
        try await stack.execute(
            """
            WITH made AS (
                INSERT INTO control.tenants (tenant_id, slug, slug_likeness, name, sku, region, state, registered_at,
                    updated_at, version)
                VALUES (gen_random_uuid(), \(slug), \(slug), 'A tenant', 'scale', 'eu-central', 'pending',
                    now() - interval '2 hours', now(), 1)
                RETURNING tenant_id, slug)
            , placed AS (
                INSERT INTO control.placements (tenant_id, tier, server, database, is_override, decided_at)
                SELECT tenant_id, 'bridge', 'home', 'home', false, now() FROM made)
            INSERT INTO control.routing_decisions (id, tenant_id, slug, sku, region, tier, server, database, rule, reason,
                actor, decided_at)
            SELECT gen_random_uuid(), tenant_id, slug, 'scale', 'eu-central', 'bridge', 'home', 'home', 1020, 'as sold',
                'operator', now() FROM made
            """)
    }

    @Test("show tenants of every tier, find nothing wrong with them, and everything that is")
    func tenants() async throws {
        try await Self.with { stack, environment in
            try await Self.registerTenants(stack)

            let list = try await Self.run("tenants", "list", environment: environment)
            #expect(list.exit == .exited(0))
            for part in [
                "bridged\tactive\tbridge\thome/atrium\tscale\teu-central", "pooled\tactive\tpool\thome/atrium\tgrowth",
                "siloed\tactive\tsilo\thome/atrium_t",
            ] { #expect(list.has(part), "\(list.lines)") }
            let show = try await Self.run("tenants", "show", "siloed", environment: environment)
            for part in ["tier\tsilo", "placed by\tthe rules", "build\t1", "open\t1", "rule 1030\toperator"] {
                #expect(show.has(part), "\(show.lines)")
            }
            let decisions = try await Self.run("tenants", "decisions", "--tenant", "bridged", environment: environment)
            #expect(decisions.lines.count == 2 && decisions.has("scale has schemas of its own"), "\(decisions.lines)")

            let clean = try await Self.run("tenants", "audit", environment: environment)
            #expect(clean.exit == .exited(0) && clean.lines == ["every tenant lives where it should"], "\(clean.lines)")
            try await stack.execute("UPDATE control.tenants SET sku = 'enterprise' WHERE slug = 'pooled'")
            try await stack.execute("CREATE SCHEMA orders__t00000000000000000000000000000000")
            let audit = try await Self.run("tenants", "audit", environment: environment)
            #expect(audit.exit == .exited(1) && audit.lines.count == 2, "\(audit.lines)")
            #expect(audit.has("pooled: expected tier silo") && audit.has("DROP SCHEMA orders__t000"), "\(audit.lines)")
            let json = try await Self.run(
                "tenants", "audit", "--tenant", "pooled", "--json", environment: environment)
            #expect(json.exit == .exited(1) && json.lines.first?.hasPrefix(#"{"findings":[{"tenant":"pooled""#) == true)
        }
    }

    @Test("check the manifest against every database and the broker")
    func manifest() async throws {
        try await Self.with { stack, environment in
            try await Self.registerTenants(stack)
            let clean = try await Self.run("manifest", "check", environment: environment)
            #expect(clean.exit == .exited(0) && clean.has("no difference; looked at"), "\(clean.lines)")
            #expect(clean.has("in 2 databases and 4 topics"), "\(clean.lines)")

            try stack.broker.create(TopicSpec("orders.planted"))
            try await stack.execute("ALTER TABLE orders.orders NO FORCE ROW LEVEL SECURITY")
            let found = try await Self.run("manifest", "check", environment: environment)
            #expect(found.exit == .exited(1) && found.has("2 differences; looked at"), "\(found.lines)")
            #expect(found.has("the broker: topic orders.planted is not in the manifest; describe it"), "\(found.lines)")
            #expect(found.has("home/atrium: table orders.orders does not force row security"), "\(found.lines)")

            let skipped = try await Self.run("manifest", "check", "--no-topics", environment: environment)
            #expect(skipped.exit == .exited(1) && skipped.has("1 difference") && skipped.has("topics were skipped"))
            let json = try await Self.run("manifest", "check", "--no-topics", "--json", environment: environment)
            #expect(
                json.exit == .exited(1) && json.has(#""skipped":["topics"]"#) && json.has(#""store":"table orders"#))
        }
    }

    @Test("abandon a tenant that is pending, and no other, with a clear word where they can't")
    func abandon() async throws {
        try await Self.with { stack, environment in
            try await Self.registerTenants(stack)
            try await Self.leavePending("half-made", in: stack)
            let late = try await Self.run("tenants", "audit", environment: environment)
            #expect(late.exit == .exited(1) && late.has("half-made: expected to be open within the hour"))

            var without = environment
            without["ATRIUM_PROVISIONER_DATABASE_URL"] = nil
            let unable = try await Self.run("tenants", "abandon", "half-made", environment: without)
            #expect(unable.exit != .exited(0) && unable.has("ATRIUM_PROVISIONER_DATABASE_URL"), "\(unable.lines)")
            let unknown = try await Self.run("tenants", "abandon", "nobody", environment: environment)
            #expect(unknown.exit != .exited(0) && unknown.has("there is no tenant nobody"), "\(unknown.lines)")
            let open = try await Self.run("tenants", "abandon", "siloed", environment: environment)
            #expect(open.exit != .exited(0) && open.has("tenant siloed is active"), "\(open.lines)")

            let done = try await Self.run("tenants", "abandon", "half-made", environment: environment)
            #expect(done.exit == .exited(0) && done.has("abandoned half-made"), "\(done.lines)")
            let clean = try await Self.run("tenants", "audit", environment: environment)
            #expect(clean.exit == .exited(0), "\(clean.lines)")
            #expect(try await stack.number("SELECT count(*) FROM control.tenants") == 3)
            let gone = try await Self.run("tenants", "show", "half-made", environment: environment)
            #expect(gone.exit != .exited(0) && gone.has("there is no tenant half-made"), "\(gone.lines)")
        }
    }
}

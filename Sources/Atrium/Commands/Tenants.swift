import ArgumentParser
import Kernel
import Postgres
import Tenancy

struct Tenants: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows tenants and where they live, and whether that is so.",
        subcommands: [List.self, Show.self, Decisions.self, Audit.self, Abandon.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists every tenant, by its slug.")

        @Option(help: "A JSON file with settings.")
        var config: String?

        func run() async throws {
            try await TenantsTools.with(config) { tools in
                let rows = try await tools.records(
                    """
                    SELECT t.slug, t.state, p.tier, p.server || '/' || coalesce(\(TenantDirectory.databaseName), p.database), t.sku,
                        t.region, t.tenant_id::text
                    FROM control.tenants t LEFT JOIN control.placements p USING (tenant_id)
                    LEFT JOIN control.databases d ON d.name = p.database
                    ORDER BY t.slug
                    """)
                TenantsTools.printRow(["slug", "state", "tier", "place", "sku", "region", "id"])
                for row in rows {
                    let (slug, state, tier, place, sku, region, id) = try row.decode(
                        (String, String, String?, String?, String, String, String).self)
                    TenantsTools.printRow([slug, state, tier, place, sku, region, id])
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows one tenant: where it lives, how its making went, and what was decided.")

        @Option(help: "A JSON file with settings.")
        var config: String?
        @Argument(help: "The tenant's slug.")
        var slug: String

        func run() async throws {
            try await TenantsTools.with(config) { tools in
                guard let tenant = try await tools.records(Self.tenant(slug)).first else {
                    throw UnknownSlug(slug: slug)
                }
                let (id, name, state, sku, region, registered, tier, place, isOverride) = try tenant.decode(
                    (String, String, String, String, String, Timestamp, String?, String?, Bool?).self)
                for (label, value) in [
                    ("id", id), ("slug", slug), ("name", name), ("state", state), ("sku", sku), ("region", region),
                    ("registered", "\(registered)"), ("tier", tier), ("place", place),
                    ("placed by", isOverride.map { $0 ? "a person, against the rules" : "the rules" }),
                ] { TenantsTools.printRow([label, value]) }
                print("\nstep\tattempts\tstarted\tfinished\terror")
                for row in try await tools.records(Self.steps(slug)) {
                    let (step, attempts, started, finished, error) = try row.decode(
                        (String, Int32, Timestamp?, Timestamp?, String?).self)
                    TenantsTools.printRow([step, "\(attempts)", started?.description, finished?.description, error])
                }
                if state == "pending" {
                    print("It is pending: repeat the request that registers it, or `atrium tenants abandon \(slug)`.")
                }
                print("")
                try await Decisions.show(of: slug, limit: 100, tools)
            }
        }

        private static func tenant(_ slug: String) -> SQL {
            """
            SELECT t.tenant_id::text, t.name, t.state, t.sku, t.region, t.registered_at, p.tier,
                p.server || '/' || coalesce(\(TenantDirectory.databaseName), p.database), p.is_override
            FROM control.tenants t LEFT JOIN control.placements p USING (tenant_id)
            LEFT JOIN control.databases d ON d.name = p.database
            WHERE t.slug = \(slug)
            """
        }

        private static func steps(_ slug: String) -> SQL {
            """
            SELECT s.name, s.attempts, s.started_at, s.finished_at, s.error
            FROM control.provisioning_steps s JOIN control.tenants t USING (tenant_id)
            WHERE t.slug = \(slug) ORDER BY s.number
            """
        }
    }

    struct Decisions: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows the decisions where tenants live, newest first; also of those that are gone.")

        @Option(help: "A JSON file with settings.")
        var config: String?
        @Option(help: "Only this tenant, by its slug.")
        var tenant: String?
        @Option(help: "How many.")
        var limit = 100

        func validate() throws {
            if !(1...10_000).contains(limit) { throw ValidationError("--limit is not from 1 to 10000") }
        }

        func run() async throws {
            try await TenantsTools.with(config) { try await Self.show(of: tenant, limit: limit, $0) }
        }

        static func show(of slug: String?, limit: Int, _ tools: TenantsTools) async throws {
            let rows = try await tools.records(
                """
                SELECT decided_at, slug, sku, region, tier, server || '/' || database, rule, actor, reason
                FROM control.routing_decisions WHERE \(slug)::text IS NULL OR slug = \(slug)
                ORDER BY decided_at DESC, id DESC LIMIT \(Int64(limit))
                """)
            print("decided\ttenant\tsku\tregion\ttier\tplace\tby\tactor\treason")
            for row in rows {
                let (at, slug, sku, region, tier, place, rule, actor, reason) = try row.decode(
                    (Timestamp, String, String, String, String, String, Int32?, String, String).self)
                TenantsTools.printRow([
                    at.description, slug, sku, region, tier, place, rule.map { "rule \($0)" } ?? "override", actor,
                    reason,
                ])
            }
        }
    }
}

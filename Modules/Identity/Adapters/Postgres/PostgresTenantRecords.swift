import Identity
import Kernel
import Logging
import Postgres
import Tenancy

/// What the control plane keeps about tenants, for the operator.
struct PostgresTenantRecords: TenantRecords {
    let dataPlane: DataPlane
    let logger: Logger

    func tenant(_ slug: Slug) async throws -> Tenant? {
        try await rows("SELECT \(TenantRow.columns) FROM control.tenants WHERE slug = \(slug.text)")
            .first.map(TenantRow.tenant)
    }

    func provisioning(of slug: Slug) async throws -> [ProvisioningProgress] {
        try await rows(
            """
            SELECT s.name, s.attempts, s.started_at, s.finished_at, s.error
            FROM control.provisioning_steps s JOIN control.tenants t USING (tenant_id)
            WHERE t.slug = \(slug.text) ORDER BY s.number
            """
        ).map { row in
            let (name, attempts, started, finished, error) = try row.decode(
                (String, Int32, Timestamp?, Timestamp?, String?).self)
            return ProvisioningProgress(
                step: try known(name), attempts: Int(attempts), startedAt: started, finishedAt: finished, error: error)
        }
    }

    func decisions(on slug: Slug) async throws -> [RecordedDecision] {
        try await rows(
            """
            SELECT tier, server, database, rule, reason, actor, decided_at FROM control.routing_decisions
            WHERE slug = \(slug.text) ORDER BY decided_at DESC, id DESC LIMIT 100
            """
        ).map { row in
            let (tier, server, database, rule, reason, actor, at) = try row.decode(
                (String, String, String, Int32?, String, String, Timestamp).self)
            return RecordedDecision(
                decision: PlacementDecision(
                    tier: try known(tier), server: server, database: database, rule: rule.map(Int.init),
                    reason: reason),
                actor: actor, decidedAt: at)
        }
    }

    private func rows(_ sql: SQL) async throws -> Rows {
        try await dataPlane.control(reason: .once("show a tenant's records"), logger: logger) {
            try await $0.rows(sql)
        }
    }
}

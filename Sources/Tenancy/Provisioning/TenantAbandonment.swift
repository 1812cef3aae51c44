import Kernel
package import Logging
import Postgres

/// Takes back a tenant that was never opened: first what was made for it, then its rows in the control plane.
///
/// Repeating it goes on where it was cut off. The decisions where the tenant was to live are kept.
package struct TenantAbandonment: Sendable {
    private let plane: DataPlane
    private let builder: TenantBuilder
    private let rows: SharedRows
    private let logger: Logger

    package init(
        plane: DataPlane, builder: TenantBuilder, files: MigrationFiles, signer: ContextSigner, logger: Logger
    ) {
        self.plane = plane
        self.builder = builder
        rows = SharedRows(fleet: plane.fleet, files: files, signer: signer, logger: logger)
        self.logger = logger
    }

    /// - Returns: where the tenant was to live.
    /// - Throws: `UnknownSlug`, `AbandonmentRefused`, `NoProvisioner`.
    package func abandon(_ slug: String) async throws -> Placement {
        let key = try await pending(slug).key
        let turn = ControlTurn(plane.fleet, logger: logger)
        var isOurTurn = false
        do {
            // The registration's own turn: one that is running is waited for, and may have opened the tenant by then.
            return try await turn.with("registration \(key ?? slug)") {
                isOurTurn = true
                let pending = try await pending(slug)
                try await demolish(pending)
                try await forget(pending)
                return pending.placement
            }
        } catch let error as DataPlaneUnavailable where !isOurTurn && error.cause.code == .timeout {
            throw AbandonmentRefused.busy(slug)
        }
    }

    private struct Pending {
        let tenant: TenantContext
        let key: String?
        let placement: Placement
    }

    private func pending(_ slug: String) async throws -> Pending {
        let found = try await plane.control(reason: .once("abandon a tenant"), logger: logger) {
            try await $0.rows(
                """
                SELECT t.tenant_id, t.state, r.key, p.tier, p.server, coalesce(\(TenantDirectory.databaseName), p.database)
                FROM control.tenants t JOIN control.placements p USING (tenant_id)
                LEFT JOIN control.registrations r USING (tenant_id)
                LEFT JOIN control.databases d ON d.name = p.database
                WHERE t.slug = \(slug)
                """)
        }.first
        guard let found else { throw UnknownSlug(slug: slug) }
        let (id, state, key, tier, server, database) = try found.decode(
            (TenantID, String, String?, String, String, String).self)
        guard state == "pending" else { throw AbandonmentRefused.open(slug, state: state) }
        guard let tier = Tier(rawValue: tier) else { throw TenantDirectory.UnreadableDirectory(slug: slug) }
        return Pending(
            tenant: TenantContext(tenantID: id, actor: .operator, correlation: .new(), logger: logger), key: key,
            placement: Placement(tier: tier, database: DatabaseID(server: server, name: database), of: id))
    }

    private func demolish(_ pending: Pending) async throws {
        let id = pending.tenant.tenantID
        try await builder.demolish(pending.placement, of: id)
        if pending.placement.tier != .silo { try await rows.delete(of: id, in: pending.placement.database) }
    }

    private func forget(_ pending: Pending) async throws {
        let id = pending.tenant.tenantID
        try await plane.control(for: pending.tenant, reason: .once("abandon a tenant")) { transaction in
            transaction.enqueue("DELETE FROM control.databases WHERE silo_of = \(id)")
            transaction.enqueueExpectingOne("DELETE FROM control.tenants WHERE tenant_id = \(id) AND state = 'pending'")
            transaction.enqueue("SELECT pg_notify(\(TenantDirectory.channel), '')")
        }
    }
}

/// Why a tenant is not abandoned.
package enum AbandonmentRefused: Error, Hashable, CustomStringConvertible {
    case open(String, state: String)
    case busy(String)

    package var description: String {
        switch self {
        case .open(let slug, let state):
            "tenant \(slug) is \(state); only a pending one, which nobody has used yet, can be abandoned"
        case .busy(let slug):
            "tenant \(slug) is being made at this moment; wait for the request that registers it, and try again"
        }
    }
}

import Identity
import IdentityContracts
import Kernel
import Logging
import Messaging
import Postgres
import Tenancy

/// All tenants, in the control plane's role.
struct PostgresTenantRegistry: TenantRegistry {
    let dataPlane: DataPlane
    let directory: TenantDirectory
    let outbox: Outbox
    let identifiers: IdentifierSource
    let callers: CallerCache
    let correlation: Correlation
    var progress = WriteProgress()
    let logger: Logger

    func update(
        _ slug: Slug, expecting expected: Int64, _ change: (inout Tenant) throws(IdentityError) -> Void
    ) async throws -> Tenant {
        guard var tenant = try await tenant(slug) else { throw IdentityError.unknownTenant }
        guard tenant.version == expected else { throw StaleVersion() }
        try change(&tenant)
        let changed = tenant
        try await dataPlane.control(for: context(changed.id), reason: .once("change a tenant")) { transaction in
            enqueueUpdate(of: changed, from: expected, in: transaction)
            try enqueueEvents(of: changed, in: transaction)
        }
        await tellOthers(of: changed.id)
        return changed
    }

    func tenant(_ slug: Slug) async throws -> Tenant? {
        let rows = try await dataPlane.control(reason: .routine("find a tenant by its slug"), logger: logger) {
            try await $0.rows("SELECT \(TenantRow.columns) FROM control.tenants WHERE slug = \(slug.text)")
        }
        return try rows.first.map(TenantRow.tenant)
    }

    func openTenant(_ slug: Slug) async throws -> TenantID? {
        guard let tenant = try await tenant(slug), tenant.state != .pending else { return nil }
        return tenant.id
    }

    func context(_ tenantID: TenantID) -> TenantContext {
        TenantContext(
            tenantID: tenantID, actor: .operator, correlation: correlation, progress: progress, logger: logger)
    }

    func enqueueUpdate(of tenant: Tenant, from version: Int64, in transaction: TenantTransaction) {
        transaction.enqueueExpectingOne(
            """
            UPDATE control.tenants SET state = \(tenant.state.rawValue), \
            suspension_reason = \(tenant.suspensionReason), updated_at = \(tenant.updatedAt), \
            version = \(tenant.version), changed_in = pg_current_xact_id()
            WHERE tenant_id = \(tenant.id) AND version = \(version)
            """)
        transaction.enqueue("SELECT pg_notify(\(TenantDirectory.channel), '')")
    }

    func enqueueEvents(of tenant: Tenant, in transaction: TenantTransaction) throws {
        let facts = try tenant.recordedEvents.compactMap { event in
            try tenant.publication(of: event).map {
                try OutgoingFact(
                    $0, aggregateID: tenant.id.uuid, aggregateVersion: event.version, at: event.at,
                    identifiers: identifiers)
            }
        }
        try outbox.enqueue(facts, in: transaction)
    }

    /// This process knows at once; the others hear of it by the notification.
    func tellOthers(of tenant: TenantID) async {
        callers.forget(tenant: tenant)
        do {
            try await directory.refresh()
        } catch {
            logger.info("the directory of tenants is read at its next turn", metadata: ["error": "\(error)"])
        }
    }
}

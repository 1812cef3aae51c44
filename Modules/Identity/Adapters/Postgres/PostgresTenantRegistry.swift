import Identity
import IdentityContracts
import Kernel
import Logging
import Messaging
import Postgres
import Tenancy

/// All tenants, in the control plane's role.
struct PostgresTenantRegistry: TenantRegistry, TenantDirectory {
    let dataPlane: DataPlane
    let outbox: Outbox
    let identifiers: IdentifierSource
    let callers: CallerCache
    let correlation: Correlation
    let logger: Logger
    /// Keeps the answer to a command that carried an `Idempotency-Key` beside its effect.
    var keepReceipt: @Sendable (Registration, TenantTransaction) throws -> Void = { _, _ in }

    func insert(_ registration: Registration) async throws {
        let (tenant, user, key) = (registration.tenant, registration.administrator, registration.key)
        do {
            try await dataPlane.crossTenant(
                as: .identityControl, for: context(tenant.id), reason: "registering a tenant"
            ) { transaction in
                // First, so that of two requests with one key the second fails for its key, not for its slug.
                try keepReceipt(registration, transaction)
                transaction.enqueue(
                    """
                    INSERT INTO identity.tenants (tenant_id, slug, name, sku, region, state, suspension_reason, \
                    registered_at, updated_at, version)
                    VALUES (\(tenant.id), \(tenant.slug.text), \(tenant.name.text), \(tenant.sku.code), \
                    \(tenant.region.code), \(tenant.state.rawValue), \(tenant.suspensionReason), \
                    \(tenant.registeredAt), \(tenant.updatedAt), \(tenant.version))
                    """)
                transaction.enqueue(user.insertion(for: tenant.id))
                transaction.enqueue(key.insertion(for: tenant.id))
                try enqueueEvents(of: tenant, in: transaction)
            }
        } catch let error as PostgresError where error.constraint == "tenants_slug_key" {
            throw IdentityError.slugTaken(tenant.slug)
        }
    }

    func update(
        _ slug: Slug, expecting expected: Int64, _ change: (inout Tenant) throws(IdentityError) -> Void
    ) async throws -> Tenant {
        guard var tenant = try await tenant(slug) else { throw IdentityError.unknownTenant }
        guard tenant.version == expected else { throw StaleVersion() }
        try change(&tenant)
        let changed = tenant
        try await dataPlane.crossTenant(
            as: .identityControl, for: context(changed.id), reason: "changing a tenant"
        ) { transaction in
            transaction.enqueueExpectingOne(
                """
                UPDATE identity.tenants SET state = \(changed.state.rawValue), \
                suspension_reason = \(changed.suspensionReason), updated_at = \(changed.updatedAt), \
                version = \(changed.version)
                WHERE tenant_id = \(changed.id) AND version = \(expected)
                """)
            try enqueueEvents(of: changed, in: transaction)
            transaction.afterCommit { [callers] in callers.forget(tenant: changed.id) }
        }
        return changed
    }

    func tenant(_ slug: Slug) async throws -> Tenant? {
        let rows = try await dataPlane.crossTenant(
            as: .identityControl, reason: "finding a tenant by its slug", logger: logger
        ) { transaction in
            try await transaction.rows(
                "SELECT \(TenantRow.columns) FROM identity.tenants WHERE slug = \(slug.text)")
        }
        return try rows.first.map(TenantRow.tenant)
    }

    func openTenant(_ slug: Slug) async throws -> TenantID? {
        guard let tenant = try await tenant(slug), tenant.state != .pending else { return nil }
        return tenant.id
    }

    private func enqueueEvents(of tenant: Tenant, in transaction: TenantTransaction) throws {
        for event in tenant.recordedEvents {
            guard let publication = tenant.publication(of: event) else { continue }
            try outbox.enqueue(
                OutgoingEvent(
                    publication, id: identifiers.next(), aggregateID: tenant.id.uuid,
                    aggregateVersion: event.version, at: event.at),
                in: transaction)
        }
    }

    private func context(_ tenantID: TenantID) -> TenantContext {
        TenantContext(tenantID: tenantID, actor: .operator, correlation: correlation, logger: logger)
    }
}

import Kernel
import Postgres
import Tenancy

extension DeadLetters {
    /// Has the inbox take the event for one that has happened, so that it never does.
    func refuseForGood(_ letter: DeadLetter, _ reactions: [String]) async throws {
        guard let tenant = letter.tenantID, let fact = letter.factID, letter.direction == .incoming, !reactions.isEmpty
        else { return }
        let facts = reactions.map { (fact, $0) }
        try await note(facts, of: tenant, in: try await home(of: tenant), .once("discard an event"))
    }

    /// Tells the inbox of a tenant what was discarded while nobody knew it, which stands in the control plane's database
    /// alone; false where the tenant is still unknown.
    func carryDiscards(of tenant: TenantID) async throws -> Bool {
        let control = dataPlane.fleet.control
        let home: DatabaseID
        do {
            home = try await dataPlane.residence(of: tenant).placement.database
        } catch is UnknownTenant {
            return false
        }
        guard home != control, role.schema != "control" else { return true }
        // Nothing else of a tenant that lives elsewhere can be there.
        let facts = try await crossTenant(.once("read what was discarded of a tenant"), in: control) {
            try await $0.rows(
                "SELECT event_id, reaction FROM \(unsafeSQL: schema).inbox WHERE tenant_id = \(tenant)")
        }.map { try $0.decode((EventID, String).self) }
        guard !facts.isEmpty else { return true }
        try await note(facts, of: tenant, in: home, .once("discard what was discarded before the tenant was known"))
        return true
    }

    /// Tenants that live elsewhere, or that nobody knows, of which something was or may yet be discarded where the control
    /// plane is.
    func tenantsWithDiscards() async throws -> [TenantID] {
        let control = dataPlane.fleet.control
        let found = try await crossTenant(.once("look for letters of unknown tenants"), in: control) {
            try await $0.rows(
                """
                SELECT DISTINCT d.tenant_id FROM \(unsafeSQL: schema).dead_letters d
                WHERE d.direction = 'incoming' AND d.tenant_id IS NOT NULL AND (
                    d.resolved_at IS NULL OR d.resolution = 'discarded' AND EXISTS (
                    SELECT FROM \(unsafeSQL: schema).inbox i
                    WHERE i.tenant_id = d.tenant_id AND i.event_id = d.fact_id))
                """)
        }
        var tenants: [TenantID] = []
        for row in found {
            let tenant = try row.decode(TenantID.self)
            if try await livesElsewhere(tenant, than: control) { tenants.append(tenant) }
        }
        return tenants
    }

    private func note(
        _ facts: [(EventID, String)], of tenant: TenantID, in database: DatabaseID, _ reason: CrossTenantReason
    ) async throws {
        try await crossTenant(reason, in: database) { transaction in
            transaction.enqueue(
                """
                INSERT INTO \(unsafeSQL: schema).inbox (tenant_id, event_id, reaction)
                SELECT \(tenant)::uuid, f.event_id, f.reaction
                FROM unnest(\(facts.map(\.0))::uuid[], \(facts.map(\.1))::text[]) AS f (event_id, reaction)
                ON CONFLICT DO NOTHING
                """)
        }
    }
}

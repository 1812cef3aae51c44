import Identity
import Kernel
import Logging
import Messaging
import Postgres
import Tenancy
import Web

/// Makes tenants: the control plane's rows first, then what they say is to be, then the word that it is.
struct PostgresTenantFoundry: TenantFoundry {
    /// The request that asks for the tenant, by which its repetition is known.
    struct Request: Sendable {
        let key: String
        let fingerprint: [UInt8]
    }

    let registry: PostgresTenantRegistry
    let builder: TenantBuilder
    let receipts: OperatorReceipts
    let seal: Seal
    let request: Request
    /// Keeps the answer to the request beside the tenant's opening.
    let keepReceipt: @Sendable (Registration, TenantTransaction) throws -> Void

    private var dataPlane: DataPlane { registry.dataPlane }
    private var logger: Logger { registry.logger }

    func policy() async throws -> PlacementPolicy {
        try await dataPlane.control(reason: .once("decide where a tenant is to live"), logger: logger) { transaction in
            let skus = try await transaction.rows("SELECT code FROM control.skus WHERE on_sale")
            let regions = try await transaction.rows("SELECT code FROM control.regions WHERE open")
            let rules = try await transaction.rows(
                "SELECT number, sku, region, tier, server, reason FROM control.placement_rules ORDER BY number")
            let servers = try await transaction.rows("SELECT name, region FROM control.servers WHERE open")
            let shared = try await transaction.rows(
                """
                SELECT d.server, d.name, count(p.tenant_id) FROM control.databases d
                LEFT JOIN control.placements p ON p.database = d.name
                WHERE d.silo_of IS NULL GROUP BY d.server, d.name
                """
            ).map { try $0.decode((String, String, Int64).self) }
            return PlacementPolicy(
                skus: Set(try skus.map { try $0.decode(String.self) }),
                regions: Set(try regions.map { try $0.decode(String.self) }),
                rules: try rules.map { row in
                    let (number, sku, region, tier, server, reason) = try row.decode(
                        (Int32, String?, String?, String, String?, String).self)
                    return PlacementPolicy.Rule(
                        number: Int(number), sku: sku, region: region, tier: try known(tier), server: server,
                        reason: reason)
                },
                servers: try servers.map { row in
                    let (name, region) = try row.decode((String, String?).self)
                    let counts = shared.filter { $0.0 == name }.map { ($0.1, Int($0.2)) }
                    return PlacementPolicy.Server(
                        name: name, region: region, shared: Dictionary(uniqueKeysWithValues: counts))
                })
        }
    }

    func reserve(_ reservation: Reservation) async throws -> Reservation {
        if try await receipts.find(request.key) != nil { throw ReceiptExists(key: request.key) }
        let (tenant, decision) = (reservation.tenant, reservation.decision)
        do {
            return try await dataPlane.control(
                for: registry.context(tenant.id), reason: .once("reserve a tenant")
            ) { transaction in
                if let earlier = try await reserved(in: transaction) { return earlier }
                transaction.enqueue(
                    """
                    INSERT INTO control.tenants (tenant_id, slug, slug_likeness, name, sku, region, state, \
                    suspension_reason, registered_at, updated_at, version)
                    VALUES (\(tenant.id), \(tenant.slug.text), \(tenant.slug.likeness), \(tenant.name.text), \
                    \(tenant.sku.code), \(tenant.region.code), \(tenant.state.rawValue), \(tenant.suspensionReason), \
                    \(tenant.registeredAt), \(tenant.updatedAt), \(tenant.version))
                    """)
                transaction.enqueue(
                    """
                    INSERT INTO control.placements (tenant_id, tier, server, database, is_override, decided_at)
                    VALUES (\(tenant.id), \(decision.tier.rawValue), \(decision.server), \(decision.database), \
                    \(decision.rule == nil), \(tenant.registeredAt))
                    """)
                let id: Identifier<Void> = registry.identifiers.next()
                transaction.enqueue(
                    """
                    INSERT INTO control.routing_decisions (id, tenant_id, slug, sku, region, tier, server, database, \
                    rule, reason, actor, decided_at)
                    VALUES (\(id), \(tenant.id), \(tenant.slug.text), \(tenant.sku.code), \(tenant.region.code), \
                    \(decision.tier.rawValue), \(decision.server), \(decision.database), \
                    \(decision.rule.map { Int32($0) }), \(decision.reason), \
                    \(transaction.tenant.actor.description), \(tenant.registeredAt))
                    """)
                let sealed = try seal.close(request.fingerprint, for: .fingerprint, in: request.key)
                transaction.enqueue(
                    """
                    INSERT INTO control.registrations (tenant_id, key, sealed_fingerprint, administrator_id, key_id, \
                    salt, started_at)
                    VALUES (\(tenant.id), \(request.key), \(sealed), \(reservation.administratorID), \
                    \(reservation.keyID), \(reservation.salt), \(tenant.registeredAt))
                    """)
                transaction.enqueue(
                    """
                    INSERT INTO control.provisioning_steps (tenant_id, number, name, attempts, started_at, finished_at)
                    SELECT \(tenant.id), number, name, CASE number WHEN 1 THEN 1 ELSE 0 END,
                        CASE number WHEN 1 THEN now() END, CASE number WHEN 1 THEN now() END
                    FROM unnest(\(ProvisioningStep.allCases.map(\.rawValue))) WITH ORDINALITY AS step (name, number)
                    """)
                transaction.enqueue("SELECT pg_notify(\(TenantDirectory.channel), '')")
                return reservation
            }
        } catch let error as PostgresError where error.constraint == "tenants_slug_key" {
            throw IdentityError.slugTaken(tenant.slug)
        } catch let error as PostgresError where error.constraint == "tenants_slug_likeness_key" {
            throw IdentityError.slugTooAlike(tenant.slug)
        }
    }

    private func reserved(in transaction: TenantTransaction) async throws -> Reservation? {
        let rows = try await transaction.rows(
            """
            SELECT \(TenantRow.columns), r.sealed_fingerprint, r.administrator_id, r.key_id, r.salt,
                p.tier, p.server, p.database, d.rule, d.why
            FROM control.registrations r JOIN control.tenants t USING (tenant_id)
            JOIN control.placements p USING (tenant_id)
            JOIN (SELECT tenant_id, rule, reason AS why FROM control.routing_decisions) d USING (tenant_id)
            WHERE r.key = \(request.key)
            """)
        guard let row = rows.first else { return nil }
        guard seal.open(try row.decode("sealed_fingerprint"), for: .fingerprint, in: request.key) == request.fingerprint
        else { throw Problem(.idempotencyKeyReused) }
        let rule: Int32? = try row.decode("rule")
        return Reservation(
            tenant: try TenantRow.tenant(row),
            decision: PlacementDecision(
                tier: try known(row.decode("tier")), server: try row.decode("server"),
                database: try row.decode("database"), rule: rule.map(Int.init), reason: try row.decode("why")),
            administratorID: try row.decode("administrator_id"), keyID: try row.decode("key_id"),
            salt: try row.decode("salt"))
    }

    func build(_ reservation: Reservation) async throws {
        let (tenant, decision) = (reservation.tenant, reservation.decision)
        // The directory knows by now which database the place's name stands for.
        let placement = try await dataPlane.residence(of: tenant.id).placement
        try await builder.build(placement, of: tenant.id)
        guard decision.tier == .silo else { return }
        try await dataPlane.control(
            for: registry.context(tenant.id), reason: .once("register a tenant's database")
        ) {
            $0.enqueue(
                """
                INSERT INTO control.databases (name, server, database_name, silo_of)
                VALUES (\(decision.database), \(decision.server), \(placement.database.name), \(tenant.id))
                ON CONFLICT DO NOTHING
                """)
        }
    }

    func furnish(_ registration: Registration) async throws {
        let tenant = registration.tenant.id
        try await dataPlane.write(registry.context(tenant), as: .identity) {
            $0.enqueue(
                "\(registration.administrator.insertion(for: tenant)) ON CONFLICT (tenant_id, user_id) DO NOTHING")
            $0.enqueue("\(registration.key.insertion(for: tenant)) ON CONFLICT (tenant_id, key_id) DO NOTHING")
        }
    }

    func open(_ registration: Registration) async throws {
        let tenant = registration.tenant
        try await dataPlane.control(
            for: registry.context(tenant.id), reason: .once("open a tenant")
        ) { transaction in
            try keepReceipt(registration, transaction)
            registry.enqueueUpdate(of: tenant, from: tenant.version - 1, in: transaction)
            transaction.enqueue("DELETE FROM control.registrations WHERE tenant_id = \(tenant.id)")
            transaction.enqueue(
                """
                UPDATE control.provisioning_steps SET attempts = attempts + 1, started_at = now(), finished_at = now(),
                    error = NULL
                WHERE tenant_id = \(tenant.id) AND name = \(ProvisioningStep.open.rawValue)
                """)
            try registry.enqueueEvents(of: tenant, in: transaction)
        }
        await registry.tellOthers(of: tenant.id)
    }

    func perform<Result>(
        _ step: ProvisioningStep, of tenant: Tenant, _ body: () async throws -> Result
    ) async throws -> Result {
        try await note(
            step, of: tenant, "attempts = attempts + 1, started_at = now(), finished_at = NULL, error = NULL")
        do {
            let result = try await body()
            try await note(step, of: tenant, "finished_at = now()")
            return result
        } catch {
            logger.error(
                "making a tenant has stopped",
                metadata: ["slug": "\(tenant.slug)", "step": "\(step.rawValue)", "error": "\(error)"])
            // The caller is told either way.
            try? await note(step, of: tenant, "error = \("\(error)")")
            throw IdentityError.notProvisioned(tenant.slug, step: step, reason: "\(error)")
        }
    }

    private func note(_ step: ProvisioningStep, of tenant: Tenant, _ change: SQL) async throws {
        try await dataPlane.control(
            for: registry.context(tenant.id), reason: .once("note how far the making of a tenant has come")
        ) {
            $0.enqueue(
                """
                UPDATE control.provisioning_steps SET \(change)
                WHERE tenant_id = \(tenant.id) AND name = \(step.rawValue)
                """)
        }
    }
}

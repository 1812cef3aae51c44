import Identity
import Kernel
import Tenancy
import Web

/// What the operator does with tenants.
struct TenantRoutes: Sendable {
    let parts: IdentityParts

    var endpoints: [Endpoint] { [register, show, provisioning, placement, suspend, reactivate] }

    private var register: Endpoint {
        Endpoint(
            .post, "/api/v1/tenants", "registerTenant", tag: "Tenants", summary: "Registers a tenant",
            about: """
                Decides where the tenant is to live, makes what it needs there, its first administrator and a first \
                key, and opens it; how far that has come is at `/api/v1/tenants/{slug}/provisioning`. A request that \
                was cut off goes on when it is repeated with its Idempotency-Key. The key's text is shown in \
                this answer alone: a repeated answer has `apiKey.key` null, since the secret is kept nowhere. Whoever \
                has lost it logs in as the administrator, makes another, and revokes the first.
                """,
            access: .operator, body: .json(RegisterTenant.shape),
            idempotency: .receipts { [receipts = parts.operatorReceipts] key, _ in try await receipts.find(key) },
            success: .created(RegisteredTenant.shape, versioned: true),
            problems: [.slugTaken, .slugTooAlike, .notOnSale, .noPlace, .notProvisioned]
        ) { [parts] call in
            let request = try call.idempotency
            var registry = parts.registry(correlation: call.correlation, logger: call.logger)
            registry.progress = call.progress
            let foundry = PostgresTenantFoundry(
                registry: registry, builder: parts.builder, receipts: parts.operatorReceipts, seal: parts.seal,
                request: .init(key: request.key, fingerprint: request.fingerprint)
            ) { registration, transaction in
                let reply = reply(to: call, with: registration, keyText: nil)
                try parts.operatorReceipts.keep(try call.receipt(for: reply), in: transaction)
            }
            // The same request twice at once: the second waits for the first, and finds its answer.
            let registration = try await ControlTurn(parts.dataPlane.fleet, logger: call.logger)
                .with("registration \(request.key)") {
                    try await RegisterTenantHandler(
                        foundry: foundry, passwords: parts.passwords, secrets: parts.secrets,
                        identifiers: parts.identifiers, clock: parts.clock
                    ).handle(call.body)
                }
            return reply(to: call, with: registration, keyText: registration.keyText)
        }
    }

    private var show: Endpoint {
        Endpoint(
            .get, "/api/v1/tenants/{slug}", "getTenant", tag: "Tenants", summary: "Shows a tenant",
            about: "To the operator, and to the tenant itself; to others it does not exist.",
            access: .operatorOrTenant, parameters: [slugParameter], success: .ok(Tenant.shape, versioned: true),
            problems: [.notFound]
        ) { [parts] call in
            let slug = try call[slugParameter]
            let tenant: Tenant? =
                switch call.who {
                case .operator:
                    try await parts.registry(correlation: call.correlation, logger: call.logger).tenant(slug)
                case .tenant(let asking) where asking.caller.tenantSlug == slug.text:
                    try await parts.queries(of: asking.tenant).tenant()
                case .tenant:
                    nil
                }
            guard let tenant else { throw IdentityError.unknownTenant }
            return call.reply(tenant, version: tenant.version)
        }
    }

    private var provisioning: Endpoint {
        Endpoint(
            .get, "/api/v1/tenants/{slug}/provisioning", "getTenantProvisioning", tag: "Tenants",
            summary: "Tells how far the making of a tenant has come", access: .operator, parameters: [slugParameter],
            success: .ok(Provisioning.shape), problems: [.notFound]
        ) { [parts] call in
            let steps = try await parts.records(call.logger).provisioning(of: try call[slugParameter])
            guard !steps.isEmpty else { throw IdentityError.unknownTenant }
            return call.reply(Provisioning(steps: steps))
        }
    }

    private var placement: Endpoint {
        Endpoint(
            .get, "/api/v1/tenants/{slug}/placement", "getTenantPlacement", tag: "Tenants",
            summary: "Tells where a tenant lives, and why", access: .operator, parameters: [slugParameter],
            success: .ok(PlacementHistory.shape), problems: [.notFound]
        ) { [parts] call in
            let decisions = try await parts.records(call.logger).decisions(on: try call[slugParameter])
            guard !decisions.isEmpty else { throw IdentityError.unknownTenant }
            return call.reply(PlacementHistory(decisions: decisions))
        }
    }

    private var suspend: Endpoint {
        Endpoint(
            .post, "/api/v1/tenants/{slug}/suspend", "suspendTenant", tag: "Tenants", summary: "Suspends a tenant",
            about: "It may read from then on, and not write: in every process within two seconds.",
            access: .operator, parameters: [slugParameter], body: .json(SuspensionReason.shape), ifMatch: true,
            success: .ok(Tenant.shape, versioned: true), problems: [.notFound, .illegalTenantMove]
        ) { [parts] call in
            let registry = parts.registry(correlation: call.correlation, logger: call.logger)
            let tenant = try await ChangeTenantHandler(registry: registry, clock: parts.clock).handle(
                ChangeTenant(
                    slug: try call[slugParameter], version: try call.ifMatch,
                    change: .suspend(reason: call.body.reason)))
            return call.reply(tenant, version: tenant.version)
        }
    }

    private var reactivate: Endpoint {
        Endpoint(
            .post, "/api/v1/tenants/{slug}/reactivate", "reactivateTenant", tag: "Tenants",
            summary: "Lets a suspended tenant write again", access: .operator, parameters: [slugParameter],
            ifMatch: true, success: .ok(Tenant.shape, versioned: true), problems: [.notFound, .illegalTenantMove]
        ) { [parts] call in
            let registry = parts.registry(correlation: call.correlation, logger: call.logger)
            let tenant = try await ChangeTenantHandler(registry: registry, clock: parts.clock).handle(
                ChangeTenant(slug: try call[slugParameter], version: try call.ifMatch, change: .reactivate))
            return call.reply(tenant, version: tenant.version)
        }
    }

    private func reply(
        to call: Call<Operator, RegisterTenant, RegisteredTenant>, with registration: Registration,
        keyText: APIKeyText?
    ) -> Reply<RegisteredTenant> {
        call.reply(
            RegisteredTenant(
                tenant: registration.tenant, administrator: registration.administrator,
                key: ShownAPIKey(key: registration.key, text: keyText)),
            version: registration.tenant.version, location: "/api/v1/tenants/\(registration.tenant.slug)")
    }
}

private let slugParameter = Parameter.path("slug", .slug, "The tenant.")

import Identity
import Kernel
import Tenancy
import Web

/// What the operator does with tenants.
struct TenantRoutes: Sendable {
    let parts: IdentityParts

    var endpoints: [Endpoint] { [register, show, suspend, reactivate] }

    private var register: Endpoint {
        Endpoint(
            .post, "/api/v1/tenants", "registerTenant", tag: "Tenants", summary: "Registers a tenant",
            about: """
                Makes the tenant, its first administrator and a first key, and opens it. The key's text is shown in \
                this answer alone: a repeated answer has `apiKey.key` null, since the secret is kept nowhere. Whoever \
                has lost it logs in as the administrator, makes another, and revokes the first.
                """,
            access: .operator, body: .json(RegisterTenant.shape),
            idempotency: .receipts { [receipts = parts.operatorReceipts] key, _ in try await receipts.find(key) },
            success: .created(RegisteredTenant.shape, versioned: true), problems: [.slugTaken]
        ) { [parts] call in
            var registry = parts.registry(correlation: call.correlation, logger: call.logger)
            registry.keepReceipt = { registration, transaction in
                let reply = reply(to: call, with: registration, keyText: nil)
                try parts.operatorReceipts.keep(try call.receipt(for: reply), in: transaction)
            }
            let registration = try await RegisterTenantHandler(
                registry: registry, passwords: parts.passwords, secrets: SystemSecrets(),
                identifiers: parts.identifiers, clock: parts.clock
            ).handle(call.body)
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

import Identity
import Kernel
import Tenancy
import Web

/// Keys for the tenant's programs, in the hands of its administrators.
struct APIKeyRoutes: Sendable {
    let parts: IdentityParts

    var endpoints: [Endpoint] { [create, list, revoke] }

    private var create: Endpoint {
        Endpoint(
            .post, "/api/v1/api-keys", "createApiKey", tag: "API keys", summary: "Makes a key",
            about: """
                The key's text is shown in this answer alone: a repeated answer has `key` null, since the secret is \
                kept nowhere.
                """,
            access: .tenant(.write), body: .json(NewAPIKey.shape),
            idempotency: .receipts(ReceiptStore(parts.dataPlane, as: .identity)),
            success: .created(ShownAPIKey.shape), problems: [.administratorsOnly]
        ) { [parts] call in
            try await requireAdministrator(call.who)
            var repository = repository(for: call.tenant)
            repository.receipt = { key in
                try call.receipt(for: reply(to: call, with: ShownAPIKey(key: key, text: nil)))
            }
            let (key, text) = try await CreateAPIKeyHandler(
                repository: repository, tenantID: call.tenant.tenantID, secrets: SystemSecrets(),
                identifiers: parts.identifiers, clock: parts.clock
            ).handle(
                CreateAPIKey(
                    name: call.body.name, permission: call.body.permission, expiresAt: call.body.expiresAt,
                    createdBy: call.tenant.actor.description))
            return reply(to: call, with: ShownAPIKey(key: key, text: text))
        }
    }

    private func reply(
        to call: Call<TenantCaller, NewAPIKey, ShownAPIKey>, with key: ShownAPIKey
    ) -> Reply<ShownAPIKey> {
        call.reply(key, location: "/api/v1/api-keys/\(key.key.id)")
    }

    private var list: Endpoint {
        Endpoint(
            .get, "/api/v1/api-keys", "listApiKeys", tag: "API keys", summary: "Lists keys, newest first",
            about: "Those that have expired or were revoked as well.", access: .tenant(.read), parameters: [paging],
            success: .ok(.page(of: APIKey.shape)), problems: [.administratorsOnly]
        ) { [parts] call in
            try await requireAdministrator(call.who)
            let page = try call[paging]
            let keys = try await parts.queries(of: call.tenant).keys(after: page.after, limit: page.fetch)
            return call.reply(page.page(keys) { $0.id })
        }
    }

    private var revoke: Endpoint {
        Endpoint(
            .delete, "/api/v1/api-keys/{id}", "revokeApiKey", tag: "API keys", summary: "Revokes a key",
            about: "For good, and in every process within two seconds. Revoking it again changes nothing.",
            access: .tenant(.write), parameters: [keyID], success: .noContent,
            problems: [.notFound, .administratorsOnly]
        ) { [parts] call in
            try await requireAdministrator(call.who)
            try await RevokeAPIKeyHandler(repository: repository(for: call.tenant), clock: parts.clock)
                .handle(try call[keyID])
            return call.reply()
        }
    }

    /// A key can't make keys, or whoever found one could never be locked out again.
    private func requireAdministrator(_ who: TenantCaller) async throws {
        guard case .user(let id) = who.caller.actor,
            try await parts.queries(of: who.tenant).user(id)?.role == .administrator
        else { throw IdentityError.administratorsOnly }
    }

    private func repository(for tenant: TenantContext) -> PostgresAPIKeyRepository {
        PostgresAPIKeyRepository(dataPlane: parts.dataPlane, tenant: tenant, callers: parts.callers)
    }
}

private let keyID = Parameter.path("id", .identifier(APIKeyID.self), "The key.")
private let paging = Paging(by: .identifier(APIKeyID.self))

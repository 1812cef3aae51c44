import Identity
import Kernel
import Tenancy
import Web

/// Logging in, and who one is then.
struct SessionRoutes: Sendable {
    let parts: IdentityParts

    var endpoints: [Endpoint] { [open, me, publishedKeys] }

    private var open: Endpoint {
        Endpoint(
            .post, "/api/v1/sessions", "openSession", tag: "Sessions", summary: "Logs in",
            about: """
                Answers with a token for 15 minutes, a JSON Web Token signed with EdDSA. Nothing is kept of it, so it \
                can be asked for as often as one likes; a user who is disabled or given another role loses it within \
                two seconds.
                """,
            access: .public, body: .json(OpenSession.shape), success: .ok(Session.shape), problems: [.loginRefused]
        ) { [parts] call in
            let session = try await OpenSessionHandler(
                registry: parts.registry(correlation: call.correlation, logger: call.logger),
                users: PostgresUserRepository(
                    dataPlane: parts.dataPlane, callers: parts.callers, logger: call.logger),
                passwords: parts.passwords, tokens: parts.keys, identifiers: parts.identifiers, clock: parts.clock
            ).handle(call.body)
            return call.reply(session)
        }
    }

    private var me: Endpoint {
        Endpoint(
            .get, "/api/v1/me", "getMe", tag: "Sessions", summary: "Tells who the caller is", access: .tenant(.read),
            success: .ok(Myself.shape), problems: [.notFound]
        ) { [parts] call in
            let queries = parts.queries(of: call.tenant)
            guard let tenant = try await queries.tenant() else { throw IdentityError.unknownTenant }
            return switch call.caller.actor {
            case .user(let id): call.reply(Myself(tenant: tenant, user: try await queries.user(id), key: nil))
            case .apiKey(let id):
                call.reply(Myself(tenant: tenant, user: nil, key: try await queries.key(APIKeyID(id))))
            case .operator, .reaction: throw Problem(.forbidden)
            }
        }
    }

    private var publishedKeys: Endpoint {
        Endpoint(
            .get, "/.well-known/jwks.json", "getKeys", tag: "Sessions", summary: "The keys that tokens are signed with",
            access: .public, success: .ok(PublishedKeys.shape)
        ) { [parts] call in
            call.reply(PublishedKeys(keys: try await parts.keys.published()))
        }
    }
}

import Identity
import IdentityContracts
package import Kernel
package import Logging
package import Messaging
package import Tenancy
package import Web

/// Identity as the program sees it.
package struct IdentityModule: Sendable {
    package static let context = ContextRole.identity
    /// What it tells others of is the control plane's.
    package static let backbone = ContextRole.control
    package static let published: [any IntegrationEvent.Type] = [
        TenantRegisteredV1.self, TenantSuspendedV1.self, TenantReactivatedV1.self,
    ]

    package let endpoints: [Endpoint]
    package let subscriptions: [Subscription] = []
    package let authenticator: BearerAuthenticator

    /// - Parameters:
    ///   - outbox: of the control plane, which tells of tenants.
    ///   - secret: at least 32 random bytes, the same in every process and not in the database; it encrypts what must
    ///     not be read from a copy of the database.
    ///   - issuer: who session tokens say made them.
    ///   - audience: whom session tokens say they are for; a token for another audience is refused.
    package init(
        dataPlane: DataPlane, directory: TenantDirectory, builder: TenantBuilder, outbox: Outbox, secret: [UInt8],
        issuer: String, audience: String,
        identifiers: IdentifierSource = .system, clock: WallClock = .system, logger: Logger
    ) throws {
        guard secret.count >= Self.shortestSecret else { throw SecretTooShort(bytes: secret.count) }
        let seal = Seal(secret: secret)
        let callers = CallerCache(clock: clock)
        let keys = SigningKeys(
            store: PostgresSigningKeys(dataPlane: dataPlane, seal: seal, identifiers: identifiers, logger: logger),
            scope: TokenScope(issuer: issuer, audience: audience), clock: clock)
        let parts = IdentityParts(
            dataPlane: dataPlane, directory: directory, builder: builder, outbox: outbox, seal: seal,
            secrets: SystemSecrets(secret: secret),
            operatorReceipts: OperatorReceipts(dataPlane: dataPlane, seal: seal, logger: logger),
            passwords: try Argon2idPasswords(), keys: keys, callers: callers, identifiers: identifiers, clock: clock)
        authenticator = BearerAuthenticator(
            dataPlane: dataPlane, keys: keys, callers: callers, clock: clock, logger: logger)
        endpoints =
            TenantRoutes(parts: parts).endpoints + SessionRoutes(parts: parts).endpoints
            + APIKeyRoutes(parts: parts).endpoints
    }

    private static let shortestSecret = 32
}

/// The secret of the installation could be guessed.
struct SecretTooShort: Error, CustomStringConvertible {
    let bytes: Int

    var description: String {
        "the secret has \(bytes) bytes; give at least 32, such as from `openssl rand -base64 48`"
    }
}

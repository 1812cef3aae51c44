import Identity
import Kernel
import Logging
import Messaging
import Tenancy

/// What the routes of Identity are made with.
struct IdentityParts: Sendable {
    let dataPlane: DataPlane
    let outbox: Outbox
    let operatorReceipts: OperatorReceipts
    let passwords: Argon2idPasswords
    let keys: SigningKeys<PostgresSigningKeys>
    let callers: CallerCache
    let identifiers: IdentifierSource
    let clock: WallClock

    func registry(correlation: Correlation, logger: Logger) -> PostgresTenantRegistry {
        PostgresTenantRegistry(
            dataPlane: dataPlane, outbox: outbox, identifiers: identifiers, callers: callers, correlation: correlation,
            logger: logger)
    }

    func queries(of tenant: TenantContext) -> PostgresIdentityQueries {
        PostgresIdentityQueries(dataPlane: dataPlane, tenant: tenant)
    }
}

import Identity
import Kernel
import Logging
import Messaging
import Tenancy

/// What the routes of Identity are made with.
struct IdentityParts: Sendable {
    let dataPlane: DataPlane
    let directory: TenantDirectory
    let builder: TenantBuilder
    /// The control plane's.
    let outbox: Outbox
    let seal: Seal
    let secrets: SystemSecrets
    let operatorReceipts: OperatorReceipts
    let passwords: Argon2idPasswords
    let keys: SigningKeys<PostgresSigningKeys>
    let callers: CallerCache
    let identifiers: IdentifierSource
    let clock: WallClock

    func registry(correlation: Correlation, logger: Logger) -> PostgresTenantRegistry {
        PostgresTenantRegistry(
            dataPlane: dataPlane, directory: directory, outbox: outbox, identifiers: identifiers, callers: callers,
            correlation: correlation, logger: logger)
    }

    func records(_ logger: Logger) -> PostgresTenantRecords {
        PostgresTenantRecords(dataPlane: dataPlane, logger: logger)
    }

    func queries(of tenant: TenantContext) -> PostgresIdentityQueries {
        PostgresIdentityQueries(dataPlane: dataPlane, tenant: tenant)
    }
}

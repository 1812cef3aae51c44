package import Kernel
package import Tenancy

/// What credentials stand for.
package struct Caller: Hashable, Sendable {
    package let tenantID: TenantID
    package let tenantSlug: String
    package let isSuspended: Bool
    package let actor: Tenancy.Actor
    /// Whether the credentials reach further than reading.
    package let mayWrite: Bool

    package init(
        tenantID: TenantID, tenantSlug: String, isSuspended: Bool, actor: Tenancy.Actor, mayWrite: Bool = true
    ) {
        self.tenantID = tenantID
        self.tenantSlug = tenantSlug
        self.isSuspended = isSuspended
        self.actor = actor
        self.mayWrite = mayWrite
    }
}

/// Turns a bearer token or key into a caller: nil for everything that is forged, expired, revoked or unknown.
package protocol Authenticator: Sendable {
    func authenticate(bearer: String) async throws -> Caller?
}

/// The caller of an endpoint that asks for no credentials.
package struct Anyone: Sendable {}

/// The people who run Atrium, with the operator's key.
package struct Operator: Sendable {}

/// The caller of a tenant's endpoint.
package struct TenantCaller: Sendable {
    package let caller: Caller
    package let tenant: TenantContext
}

/// The caller of an endpoint that serves both.
package enum OperatorOrTenant: Sendable {
    case `operator`
    case tenant(TenantCaller)
}

/// Who may call an endpoint, and so what its handler knows of the caller.
package struct Access<Who: Sendable>: Sendable {
    let rule: AccessRule
    let who: @Sendable (TenantCaller?) -> Who?
}

enum AccessRule: Hashable, Sendable {
    case open
    case operatorOnly
    case operatorOrTenant(TenantAccess)
    case tenant(TenantAccess)
}

package enum TenantAccess: Hashable, Sendable {
    case read
    /// Refused while the tenant is suspended.
    case write
}

extension Access where Who == Anyone {
    package static var `public`: Access { Access(rule: .open) { _ in Anyone() } }
}

extension Access where Who == Operator {
    package static var `operator`: Access { Access(rule: .operatorOnly) { _ in Operator() } }
}

extension Access where Who == OperatorOrTenant {
    package static var operatorOrTenant: Access { operatorOrTenant(.read) }

    package static func operatorOrTenant(_ access: TenantAccess) -> Access {
        Access(rule: .operatorOrTenant(access)) { $0.map { .tenant($0) } ?? .operator }
    }
}

extension Access where Who == TenantCaller {
    package static func tenant(_ access: TenantAccess) -> Access { Access(rule: .tenant(access)) { $0 } }
}

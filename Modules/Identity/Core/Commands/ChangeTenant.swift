package import Kernel

/// A change to a tenant that exists, decided on a version of it.
package struct ChangeTenant: Sendable {
    package enum Change: Hashable, Sendable {
        case suspend(reason: DisplayText)
        case reactivate
    }

    package let slug: Slug
    package let version: Int64
    package let change: Change

    package init(slug: Slug, version: Int64, change: Change) {
        self.slug = slug
        self.version = version
        self.change = change
    }
}

package struct ChangeTenantHandler<Registry: TenantRegistry>: Sendable {
    private let registry: Registry
    private let clock: WallClock

    package init(registry: Registry, clock: WallClock) {
        self.registry = registry
        self.clock = clock
    }

    package func handle(_ command: ChangeTenant) async throws -> Tenant {
        let now = clock.now()
        return try await registry.update(command.slug, expecting: command.version) { tenant throws(IdentityError) in
            switch command.change {
            case .suspend(let reason): try tenant.suspend(because: reason, at: now)
            case .reactivate: try tenant.reactivate(at: now)
            }
        }
    }
}

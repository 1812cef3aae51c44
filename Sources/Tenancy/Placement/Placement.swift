import Foundation
package import Kernel

/// One PostgreSQL database: a server, by the name that the configuration has for it, and a database on it.
package struct DatabaseID: Hashable, Sendable {
    package let server: String
    package let name: String

    package init(server: String, name: String) {
        self.server = server
        self.name = name
    }
}

extension DatabaseID: CustomStringConvertible {
    package var description: String { "\(server)/\(name)" }
}

/// Where a tenant's data lives.
package struct Placement: Hashable, Sendable {
    package let tier: Tier
    package let database: DatabaseID
    package let schemas: SchemaSet

    package init(tier: Tier, database: DatabaseID, of tenant: TenantID) {
        self.tier = tier
        self.database = database
        schemas = tier == .bridge ? .own(tenant) : .base
    }
}

/// When a commit counts, as PostgreSQL's `synchronous_commit` has it.
package enum Durability: String, CaseIterable, Hashable, Sendable {
    /// May be lost if the server crashes within the next moments.
    case off
    case local
    /// As the server is set, which is `on` unless somebody changed it: it costs no statement.
    case on
    /// Every synchronous replica shows it.
    case remoteApply = "remote_apply"
}

/// What the data plane needs to know of a tenant.
package struct Residence: Hashable, Sendable {
    package enum State: String, Hashable, Sendable {
        /// Being made: nobody has its credentials yet.
        case pending
        case active
        /// May read, may not write.
        case suspended
    }

    package let tenantID: TenantID
    package let slug: String
    package let state: State
    package let isCanary: Bool
    package let placement: Placement
    package let durability: Durability
    /// The tenant's share where tenants wait for connections.
    package let weight: Int
    /// How many connections it may hold at once in one process.
    package let connections: Int

    package init(
        tenantID: TenantID, slug: String, state: State, isCanary: Bool = false, placement: Placement,
        durability: Durability = .on, weight: Int = 1, connections: Int = 16
    ) {
        self.tenantID = tenantID
        self.slug = slug
        self.state = state
        self.isCanary = isCanary
        self.placement = placement
        self.durability = durability
        self.weight = weight
        self.connections = connections
    }
}

/// Knows where each tenant lives.
package protocol TenantLocator: Sendable {
    /// What is known at once.
    func known(_ tenant: TenantID) -> Residence?
    /// The same after having looked; `nil` where there is no such tenant.
    func residence(of tenant: TenantID) async throws -> Residence?
    /// Whether there was such a tenant, and is none any more.
    func isGone(_ tenant: TenantID) async throws -> Bool
}

extension TenantLocator {
    package func isGone(_ tenant: TenantID) async throws -> Bool { false }
}

/// Nobody is registered under this identifier (any more).
package struct UnknownTenant: Error, Hashable, CustomStringConvertible {
    package let tenantID: TenantID

    package init(tenantID: TenantID) {
        self.tenantID = tenantID
    }

    package var description: String { "there is no tenant \(tenantID)" }
}

extension TenantID {
    /// Looked up in place of a tenant that there is not, so that it takes as long; identifiers are never made with it.
    package static let nobody = TenantID(UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)))
}

extension Residence {
    /// Where nobody would live, if there was somebody.
    init(nobodyIn database: DatabaseID) {
        self.init(
            tenantID: .nobody, slug: "-", state: .active,
            placement: Placement(tier: .pool, database: database, of: .nobody))
    }
}

package import Kernel

/// What can be asked about any tenant, by the operator.
package protocol TenantDirectory: Sendable {
    func tenant(_ slug: Slug) async throws -> Tenant?
}

/// What a tenant can ask about itself.
package protocol IdentityQueries: Sendable {
    func tenant() async throws -> Tenant?
    func user(_ id: UserID) async throws -> User?
    func key(_ id: APIKeyID) async throws -> APIKey?
    /// Newest first; only those older than `after`.
    func keys(after: APIKeyID?, limit: Int) async throws -> [APIKey]
}

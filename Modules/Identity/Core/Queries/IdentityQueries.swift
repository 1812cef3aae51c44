package import Kernel

/// What can be asked about any tenant, by the operator.
package protocol TenantRecords: Sendable {
    func tenant(_ slug: Slug) async throws -> Tenant?
    /// How far its making has come, step by step.
    func provisioning(of slug: Slug) async throws -> [ProvisioningProgress]
    /// Each decision where it is to live, the newest first.
    func decisions(on slug: Slug) async throws -> [RecordedDecision]
}

/// A decision where a tenant is to live, as it is kept.
package struct RecordedDecision: Hashable, Sendable {
    package let decision: PlacementDecision
    package let actor: String
    package let decidedAt: Timestamp

    package init(decision: PlacementDecision, actor: String, decidedAt: Timestamp) {
        self.decision = decision
        self.actor = actor
        self.decidedAt = decidedAt
    }
}

/// What a tenant can ask about itself.
package protocol IdentityQueries: Sendable {
    func tenant() async throws -> Tenant?
    func user(_ id: UserID) async throws -> User?
    func key(_ id: APIKeyID) async throws -> APIKey?
    /// Newest first; only those older than `after`.
    func keys(after: APIKeyID?, limit: Int) async throws -> [APIKey]
}

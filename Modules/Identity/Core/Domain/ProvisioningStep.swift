package import Kernel

/// What it takes to make a tenant, in this order. Each step can be repeated without harm.
package enum ProvisioningStep: String, CaseIterable, Hashable, Sendable {
    /// The slug and the place are the tenant's.
    case reserve
    /// Its schemas or its database are there.
    case build
    /// Its first administrator and key are there.
    case furnish
    /// It is open for use, and others are told.
    case open
}

/// How far a step of making a tenant has come.
package struct ProvisioningProgress: Hashable, Sendable {
    package let step: ProvisioningStep
    package let attempts: Int
    package let startedAt: Timestamp?
    package let finishedAt: Timestamp?
    /// Why the last attempt failed.
    package let error: String?

    package init(
        step: ProvisioningStep, attempts: Int, startedAt: Timestamp?, finishedAt: Timestamp?, error: String?
    ) {
        self.step = step
        self.attempts = attempts
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.error = error
    }
}

package import Kernel
package import Logging

/// Runs work for one tenant after another, each in a context of its own.
package struct TenantIterator: Sendable {
    private let directory: TenantDirectory
    private let name: String
    private let logger: Logger

    /// - Parameter name: of the job, as histories show it.
    package init(_ directory: TenantDirectory, for name: String, logger: Logger) {
        self.directory = directory
        self.name = name
        self.logger = logger
    }

    /// What became of the work for one tenant.
    package enum Outcome: Sendable {
        case done
        case failed(any Error)
    }

    /// Goes through the tenants that are open, or those of `tenants`; one that fails doesn't keep the others from their
    /// turn. Nothing of one tenant's context is left when the next one's begins, whatever the body does: the context is
    /// handed to the body and is nowhere else.
    package func forEach(
        among tenants: Set<TenantID>? = nil, _ body: (TenantContext, Residence) async throws -> Void
    ) async throws -> [TenantID: Outcome] {
        var outcomes: [TenantID: Outcome] = [:]
        for residence in try await directory.tenants where residence.state != .pending {
            if let tenants, !tenants.contains(residence.tenantID) { continue }
            try Task.checkCancellation()
            let context = TenantContext(
                tenantID: residence.tenantID, actor: .reaction(name), correlation: .new(), logger: logger)
            do {
                try await body(context, residence)
                outcomes[residence.tenantID] = .done
            } catch {
                context.logger.warning("the work failed for a tenant", metadata: ["error": "\(error)"])
                outcomes[residence.tenantID] = .failed(error)
            }
        }
        return outcomes
    }
}

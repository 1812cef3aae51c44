package import BillingContracts
package import Kernel

/// Takes an invoice back, decided on a version of it.
package struct VoidInvoice: Sendable {
    package let id: InvoiceID
    package let version: Int64
    package let reason: String

    package init(id: InvoiceID, version: Int64, reason: String) {
        self.id = id
        self.version = version
        self.reason = reason
    }
}

package struct VoidInvoiceHandler<Repository: InvoiceRepository> {
    private let repository: Repository
    private let clock: WallClock

    package init(repository: Repository, clock: WallClock) {
        self.repository = repository
        self.clock = clock
    }

    package func handle(_ command: VoidInvoice) async throws -> Invoice {
        let now = clock.now()
        return try await repository.update(command.id, expecting: command.version) { invoice throws(BillingError) in
            try invoice.void(because: command.reason, at: now)
        }
    }
}

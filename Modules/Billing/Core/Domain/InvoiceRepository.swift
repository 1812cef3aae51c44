package import BillingContracts
package import OrdersContracts

/// The invoices of one tenant in one transaction, with their lines, versions and events.
package protocol InvoiceRepository {
    /// Takes the next numbers of a series, one for each order. Others who want one wait until this transaction has
    /// ended; where it is rolled back, they get the numbers, so that there is never a gap.
    ///
    /// - Throws: `BillingError.alreadyInvoiced`, in which case no number was taken.
    func nextNumbers(in series: InvoiceSeries, for orders: [OrderID]) async throws -> [InvoiceNumber]

    func insert(_ invoices: [Invoice]) async throws

    /// Reads the invoice, lets the caller change it, and saves it if nobody else has since.
    ///
    /// - Parameter expected: the version the caller decided on.
    /// - Throws: `BillingError.unknownInvoice`, the change's own error, or the platform's stale-version error.
    func update(
        _ id: InvoiceID, expecting expected: Int64, _ change: (inout Invoice) throws(BillingError) -> Void
    ) async throws -> Invoice
}

/// The tenant's account in one transaction.
package protocol AccountRepository {
    /// Does nothing where the tenant has an account.
    func insertIfAbsent(_ account: Account) async throws
}

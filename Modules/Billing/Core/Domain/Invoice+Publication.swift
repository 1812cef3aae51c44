import BillingContracts
package import Kernel

extension Invoice {
    /// What others are told of a change.
    package func publication(of recorded: RecordedEvent, tenantID: TenantID) -> any IntegrationEvent {
        switch recorded.event {
        case .issued:
            InvoiceIssuedV1(
                tenantId: tenantID, invoiceId: id, number: number.description,
                orderId: InvoicedOrderID(orderID.uuid), customerId: InvoicedCustomerID(customerID.uuid),
                currency: currency, lines: publishedLines, totalMinor: total.minorUnits, issuedAt: recorded.at)
        case .voided(let reason):
            InvoiceVoidedV1(
                tenantId: tenantID, invoiceId: id, number: number.description,
                orderId: InvoicedOrderID(orderID.uuid), reason: reason, voidedAt: recorded.at)
        }
    }

    private var publishedLines: [InvoiceLineV1] {
        lines.enumerated().map { index, line in
            InvoiceLineV1(
                number: index + 1, sku: line.sku, quantity: line.quantity, unitPriceMinor: line.unitPrice.minorUnits,
                amountMinor: line.amount.minorUnits)
        }
    }
}

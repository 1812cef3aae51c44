/// What can happen to an invoice. Internal to Billing: free to change, and translated on purpose before others see it.
package enum InvoiceEvent: Hashable, Sendable {
    case issued
    case voided(reason: String)
}

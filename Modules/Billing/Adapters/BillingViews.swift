import Billing
import BillingContracts
import Kernel
import OrdersContracts
import Web

/// Why an invoice is taken back.
struct VoidReason: Sendable {
    let reason: String

    static let shape = Shape<VoidReason>.object(
        "VoidReason", "Why an invoice is taken back.",
        Field(
            "reason", .string(1...500, .line), "In the words of who decides; kept with the invoice.",
            example: "delivered to the wrong customer"
        ) { $0.reason }
    ) { VoidReason(reason: $0) }
}

extension Invoice {
    static let shape = Shape<Invoice>.output(
        "Invoice", "An invoice as it stands.",
        Field("id", .identifier(InvoiceID.self), "The invoice.") { $0.id },
        Field("number", .string(1...40), "What it is known by; a tenant's numbers have no gaps.", example: "INV-000042")
        {
            $0.number.description
        },
        Field("accountId", .identifier(AccountID.self), "The tenant's account.") { $0.accountID },
        Field("orderId", .identifier(OrderID.self), "The order it is for.") { $0.orderID },
        Field("customerId", .identifier(CustomerID.self), "Who is to pay.") { $0.customerID },
        Field("state", .enumeration(InvoiceState.self), "Where it stands.") { $0.state },
        Field("currency", .currency, "The currency of all its amounts.", example: "EUR") { $0.currency },
        Field("lines", .array(of: InvoiceLine.shape, count: 1...10_000), "What is charged for.") { $0.lines },
        Field("totalMinor", .integer(0...Int64.max), "The sum of the lines, in minor units.", example: 3750) {
            $0.total.minorUnits
        },
        Field("issuedAt", .timestamp, "When it was issued.") { $0.issuedAt },
        Field(optional: "voidedAt", .timestamp, "When it was voided, if it was.") { $0.voiding?.at },
        Field(
            optional: "voidReason", .string(1...500), "Why it was voided, if it was.",
            example: "delivered to the wrong customer"
        ) { $0.voiding?.reason },
        Field("version", .integer(1...Int64.max), "Counts its changes; the same as its ETag.", example: 1) {
            $0.version
        }
    )
}

extension InvoiceLine {
    static let shape = Shape<InvoiceLine>.output(
        "InvoiceLine", "A line of an invoice.",
        Field("sku", .string(), "What is charged for.", example: "SEAT-PRO") { $0.sku },
        Field("quantity", .integer(1...Int64.max), "How many.", example: 3) { $0.quantity },
        Field("unitPriceMinor", .integer(0...Int64.max), "Price of one, in minor units.", example: 1250) {
            $0.unitPrice.minorUnits
        },
        Field("amountMinor", .integer(0...Int64.max), "quantity × unitPriceMinor.", example: 3750) {
            $0.amount.minorUnits
        }
    )
}

extension InvoiceSummary {
    static let shape = Shape<InvoiceSummary>.output(
        "InvoiceSummary", "An invoice as a list shows it.",
        Field("id", .identifier(InvoiceID.self), "The invoice.") { $0.id },
        Field("number", .string(1...40), "What it is known by.", example: "INV-000042") { $0.number.description },
        Field("orderId", .identifier(OrderID.self), "The order it is for.") { $0.orderID },
        Field("customerId", .identifier(CustomerID.self), "Who is to pay.") { $0.customerID },
        Field("state", .enumeration(InvoiceState.self), "Where it stands.") { $0.state },
        Field("currency", .currency, "The currency of its total.", example: "EUR") { $0.total.currency },
        Field("totalMinor", .integer(0...Int64.max), "The sum of the lines, in minor units.", example: 3750) {
            $0.total.minorUnits
        },
        Field("issuedAt", .timestamp, "When it was issued.") { $0.issuedAt },
        Field("version", .integer(1...Int64.max), "Counts its changes.", example: 1) { $0.version }
    )
}

extension Account {
    static let shape = Shape<Account>.output(
        "BillingAccount", "What the tenant's invoices belong to.",
        Field("id", .identifier(AccountID.self), "The account; the same UUID as the tenant's.") { $0.id },
        Field("state", .enumeration(AccountState.self), "Whether it takes new invoices.") { $0.state },
        Field("openedAt", .timestamp, "When it was opened.") { $0.openedAt },
        Field("version", .integer(1...Int64.max), "Counts its changes; the same as its ETag.", example: 1) {
            $0.version
        }
    )
}

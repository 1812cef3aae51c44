public import Kernel

public enum InvoiceKind {}
public typealias InvoiceID = Identifier<InvoiceKind>

/// The account that a tenant's invoices belong to. A tenant has one, and it goes by the tenant's own UUID.
public enum AccountKind {}
public typealias AccountID = Identifier<AccountKind>

/// The order that an invoice is for; the same UUID that Orders gave it.
public enum InvoicedOrderKind {}
public typealias InvoicedOrderID = Identifier<InvoicedOrderKind>

/// Who is to pay; the same UUID that Orders knows the customer by.
public enum InvoicedCustomerKind {}
public typealias InvoicedCustomerID = Identifier<InvoicedCustomerKind>

/// A line of an invoice as others see it.
public struct InvoiceLineV1: Codable, Hashable, Sendable {
    /// Counts from 1 within the invoice.
    public let number: Int
    public let sku: String
    public let quantity: Int64
    public let unitPriceMinor: Int64
    /// Always `quantity × unitPriceMinor`.
    public let amountMinor: Int64

    public init(number: Int, sku: String, quantity: Int64, unitPriceMinor: Int64, amountMinor: Int64) {
        self.number = number
        self.sku = sku
        self.quantity = quantity
        self.unitPriceMinor = unitPriceMinor
        self.amountMinor = amountMinor
    }
}

/// An invoice stands under its number, which no other invoice of the tenant will ever have.
public struct InvoiceIssuedV1: IntegrationEvent {
    public static let type = "billing.invoice.issued.v1"

    public let tenantId: TenantID
    public let invoiceId: InvoiceID
    /// Such as `INV-000042`; a tenant's numbers have no gaps.
    public let number: String
    public let orderId: InvoicedOrderID
    public let customerId: InvoicedCustomerID
    public let currency: Currency
    public let lines: [InvoiceLineV1]
    /// Always the sum of the lines, in minor units of the currency.
    public let totalMinor: Int64
    public let issuedAt: Timestamp

    public init(
        tenantId: TenantID, invoiceId: InvoiceID, number: String, orderId: InvoicedOrderID,
        customerId: InvoicedCustomerID, currency: Currency, lines: [InvoiceLineV1], totalMinor: Int64,
        issuedAt: Timestamp
    ) {
        self.tenantId = tenantId
        self.invoiceId = invoiceId
        self.number = number
        self.orderId = orderId
        self.customerId = customerId
        self.currency = currency
        self.lines = lines
        self.totalMinor = totalMinor
        self.issuedAt = issuedAt
    }
}

/// An invoice is owed no longer; it keeps its number.
public struct InvoiceVoidedV1: IntegrationEvent {
    public static let type = "billing.invoice.voided.v1"

    public let tenantId: TenantID
    public let invoiceId: InvoiceID
    public let number: String
    public let orderId: InvoicedOrderID
    public let reason: String
    public let voidedAt: Timestamp

    public init(
        tenantId: TenantID, invoiceId: InvoiceID, number: String, orderId: InvoicedOrderID, reason: String,
        voidedAt: Timestamp
    ) {
        self.tenantId = tenantId
        self.invoiceId = invoiceId
        self.number = number
        self.orderId = orderId
        self.reason = reason
        self.voidedAt = voidedAt
    }
}

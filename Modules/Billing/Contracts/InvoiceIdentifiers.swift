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

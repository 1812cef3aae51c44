import Billing
import BillingContracts
import Kernel
import Messaging
import OrdersContracts
import Tenancy
import Web

struct BillingRoutes: Sendable {
    let dataPlane: DataPlane
    let outbox: Outbox
    let identifiers: IdentifierSource
    let clock: WallClock

    var endpoints: [Endpoint] { [list, show, void, account] }

    private var list: Endpoint {
        Endpoint(
            .get, "/api/v1/invoices", "listInvoices", tag: "Billing", summary: "Lists invoices, newest first",
            access: .tenant(.read), parameters: [stateFilter, customerFilter, orderFilter, paging],
            success: .ok(.page(of: InvoiceSummary.shape))
        ) { call in
            let page = try call[paging]
            let invoices = try await queries(for: call.tenant).invoices(
                InvoiceFilter(
                    state: try call[stateFilter], customerID: try call[customerFilter],
                    orderID: try call[orderFilter], after: page.after, limit: page.fetch))
            return call.reply(page.page(invoices) { $0.id })
        }
    }

    private var show: Endpoint {
        Endpoint(
            .get, "/api/v1/invoices/{id}", "getInvoice", tag: "Billing", summary: "Shows an invoice",
            access: .tenant(.read), parameters: [invoiceID], success: .ok(Invoice.shape, versioned: true),
            problems: [.notFound]
        ) { call in
            guard let invoice = try await queries(for: call.tenant).invoice(try call[invoiceID]) else {
                throw Problem(.notFound)
            }
            return call.reply(invoice, version: invoice.version)
        }
    }

    private var void: Endpoint {
        Endpoint(
            .post, "/api/v1/invoices/{id}/void", "voidInvoice", tag: "Billing", summary: "Takes an invoice back",
            about: "The invoice keeps its number, and its order is not invoiced again.",
            access: .tenant(.write), parameters: [invoiceID], body: .json(VoidReason.shape), ifMatch: true,
            success: .ok(Invoice.shape, versioned: true), problems: [.notFound, .illegalInvoiceMove]
        ) { call in
            let command = VoidInvoice(id: try call[invoiceID], version: try call.ifMatch, reason: call.body.reason)
            let invoice = try await dataPlane.write(call.tenant, as: .billing) { transaction in
                try await VoidInvoiceHandler(
                    repository: PostgresInvoiceRepository(
                        transaction: transaction, outbox: outbox, identifiers: identifiers),
                    clock: clock
                ).handle(command)
            }
            return call.reply(invoice, version: invoice.version)
        }
    }

    private var account: Endpoint {
        Endpoint(
            .get, "/api/v1/account", "getAccount", tag: "Billing", summary: "Shows the tenant's account",
            about: "It opens within moments of the tenant's registration.",
            access: .tenant(.read), success: .ok(Account.shape, versioned: true), problems: [.notFound]
        ) { call in
            guard let account = try await queries(for: call.tenant).account() else {
                throw Problem(.notFound, "The account is not open yet; it opens within moments of the registration.")
            }
            return call.reply(account, version: account.version)
        }
    }

    private func queries(for tenant: TenantContext) -> PostgresBillingQueries {
        PostgresBillingQueries(dataPlane: dataPlane, tenant: tenant)
    }
}

private let invoiceID = Parameter.path("id", .identifier(InvoiceID.self), "The invoice.")
private let stateFilter: Parameter<InvoiceState?> = .query(
    "state", .enumeration(InvoiceState.self), "Only invoices in this state.")
private let customerFilter: Parameter<CustomerID?> = .query(
    "customer", .identifier(CustomerID.self), "Only invoices of this customer.")
private let orderFilter: Parameter<OrderID?> = .query(
    "order", .identifier(OrderID.self), "Only the invoice for this order.")
private let paging = Paging(by: .identifier(InvoiceID.self))

/// What the load asked Atrium for and what was answered, written down as the answers came: Atrium keeps no part of it.
struct Ledger: Sendable {
    struct Order: Sendable {
        let id: String
        let tenant: String
        let totalMinor: Int
        /// Facts that must be told of it, by the name of their event without its version: each was answered for.
        var acknowledged: Set<String>
        /// Facts that may be told of it: asked for, with the answer not known yet.
        var asked: Set<String> = []
    }

    struct Usage: Sendable {
        let tenant: String
        let source: String
        let id: String
        let value: Int
        var isAcknowledged: Bool
    }

    private(set) var tenants: Set<String> = []
    private(set) var orders: [String: Order] = [:]
    /// By source and id, which the load never uses for two tenants.
    private(set) var usage: [String: Usage] = [:]

    static let meter = "crash.calls"
    static let usageSource = "/crash-test/load"

    mutating func registered(tenant: String) { tenants.insert(tenant) }

    mutating func opened(order id: String, tenant: String, totalMinor: Int) {
        orders[id] = Order(id: id, tenant: tenant, totalMinor: totalMinor, acknowledged: [Fact.placed])
    }

    mutating func asked(for fact: String, of order: String) { orders[order]?.asked.insert(fact) }

    mutating func acknowledged(_ fact: String, of order: String) {
        orders[order]?.asked.remove(fact)
        orders[order]?.acknowledged.insert(fact)
    }

    mutating func asked(forUsage id: String, tenant: String, value: Int) {
        usage[id] = Usage(tenant: tenant, source: Self.usageSource, id: id, value: value, isAcknowledged: false)
    }

    mutating func acknowledged(usage id: String) { usage[id]?.isAcknowledged = true }
}

/// Names of events, without their versions: a fact that is told in two versions is one fact.
enum Fact {
    static let registered = "identity.tenant.registered"
    static let placed = "orders.order.placed"
    static let approved = "orders.order.approved"
    static let fulfilled = "orders.order.fulfilled"
    static let invoiced = "billing.invoice.issued"
    static let metered = "metering.usage.recorded"

    static let ordersSource = "/atrium/orders"
}

/// What the tenants are shown over HTTP: the effects of the events.
struct Effects: Sendable {
    struct Invoice: Sendable {
        let number: String
        let order: String
        let totalMinor: Int
    }

    var invoices: [String: [Invoice]] = [:]
    /// Orders counted by `orders.placed`, by tenant.
    var ordersMetered: [String: Int] = [:]
    /// The sum of the load's own meter, by tenant.
    var usage: [String: Int] = [:]
}

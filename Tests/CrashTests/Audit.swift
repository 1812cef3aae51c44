/// Something that the ledger says is not as it must be.
struct Finding: Hashable, Sendable, CustomStringConvertible {
    enum Kind: String, Hashable, Sendable, CaseIterable {
        /// What was answered for is not told in its topic.
        case lostEvent
        /// Told, or answered for, and without effect.
        case lostEffect
        /// One fact told as two.
        case doubledEvent
        /// One fact that took effect twice.
        case doubledEffect
        /// An aggregate's later event came before an earlier one.
        case reordered
        /// An event or its effect shows under another tenant than the one who asked.
        case foreignTenant
        /// Nobody asked for it.
        case unasked
        /// It says something else than what was asked for.
        case altered

        /// Whether it may yet come right by waiting.
        var mayHeal: Bool { self == .lostEvent || self == .lostEffect }
    }

    let kind: Kind
    let what: String

    var description: String { "\(kind.rawValue): \(what)" }
}

/// The ledger held against what lies in the topics and what the tenants are shown.
struct Audit: Sendable {
    private(set) var findings: [Finding] = []
    /// Records that were in the topic already: allowed, since delivery is at least once.
    private(set) var duplicates = 0
    private(set) var reorderings = 0
    private(set) var effects = 0

    /// Whether something is missing that may only be late.
    var mayHeal: Bool { !findings.isEmpty && findings.allSatisfy(\.kind.mayHeal) }

    init(_ ledger: Ledger, _ shown: Effects) {
        judgeInvoices(ledger, shown)
        judgeUsage(ledger, shown)
    }

    init(_ ledger: Ledger, _ records: [Sighting], _ shown: Effects) {
        self.init(ledger, shown)
        judgeOrder(records)
        judgeFacts(ledger, records)
    }

    private mutating func found(_ kind: Finding.Kind, _ what: String) {
        findings.append(Finding(kind: kind, what: what))
    }

    // MARK: Effects

    private mutating func judgeInvoices(_ ledger: Ledger, _ shown: Effects) {
        var counts: [String: Int] = [:]
        for (tenant, invoices) in shown.invoices {
            for invoice in invoices {
                counts[invoice.order, default: 0] += 1
                guard let order = ledger.orders[invoice.order],
                    order.acknowledged.union(order.asked).contains(Fact.fulfilled)
                else {
                    found(.unasked, "invoice \(invoice.number) of \(tenant) is for order \(invoice.order)")
                    continue
                }
                if order.tenant != tenant {
                    found(.foreignTenant, "\(tenant) is shown the invoice for order \(order.id) of \(order.tenant)")
                }
                if order.totalMinor != invoice.totalMinor {
                    found(.altered, "order \(order.id) came to \(order.totalMinor), invoiced \(invoice.totalMinor)")
                }
            }
            // Numbers have no gaps: one that is missing was given to an invoice that is not there.
            let numbers = Set(invoices.compactMap { $0.number.split(separator: "-").last.flatMap { Int($0) } })
            if numbers.count != invoices.count || numbers.max() ?? 0 != invoices.count {
                found(.lostEffect, "\(tenant) has \(invoices.count) invoices, numbered up to \(numbers.max() ?? 0)")
            }
        }
        effects += counts.values.reduce(0, +)
        for order in ledger.orders.values where order.acknowledged.contains(Fact.fulfilled) {
            switch counts[order.id, default: 0] {
            case 0: found(.lostEffect, "order \(order.id) is fulfilled and has no invoice")
            case 1: break
            case let count: found(.doubledEffect, "order \(order.id) has \(count) invoices")
            }
        }
    }

    private mutating func judgeUsage(_ ledger: Ledger, _ shown: Effects) {
        for tenant in ledger.tenants {
            let placed = ledger.orders.values.count { $0.tenant == tenant }
            compare(shown.ordersMetered[tenant] ?? 0, to: placed...placed, "orders.placed of \(tenant)")
            let own = ledger.usage.values.filter { $0.tenant == tenant }
            let certain = own.filter(\.isAcknowledged).reduce(0) { $0 + $1.value }
            let possible = own.reduce(0) { $0 + $1.value }
            compare(shown.usage[tenant] ?? 0, to: certain...possible, "\(Ledger.meter) of \(tenant)")
            effects += placed + own.count
        }
    }

    private mutating func compare(_ value: Int, to wanted: ClosedRange<Int>, _ what: String) {
        if value < wanted.lowerBound { found(.lostEffect, "\(what) is \(value), not \(wanted.lowerBound)") }
        if value > wanted.upperBound { found(.doubledEffect, "\(what) is \(value), not \(wanted.upperBound)") }
    }

    // MARK: Topics

    private mutating func judgeOrder(_ records: [Sighting]) {
        struct Line {
            var newest = 0
            var fact: String?
            var known: Set<String> = []
        }
        var lines: [String: Line] = [:]
        for record in records {
            guard let key = record.key, let id = record.id, let sequence = record.sequence else {
                found(.unasked, "\(record.place) has no key, id or sequence")
                continue
            }
            var line = lines["\(record.topic) \(key)"] ?? Line()
            if !line.known.insert(id).inserted {
                duplicates += 1
                continue
            }
            // Two versions of one fact share its sequence.
            if sequence < line.newest || (sequence == line.newest && line.fact != record.factID) {
                reorderings += 1
                found(.reordered, "\(record.place): \(sequence) of \(key) comes after \(line.newest)")
            } else {
                (line.newest, line.fact) = (sequence, record.factID)
            }
            lines["\(record.topic) \(key)"] = line
        }
    }

    /// Who a record is about, by what the ledger knows.
    private struct Subject: Hashable {
        let fact: String
        let thing: String
    }

    private mutating func judgeFacts(_ ledger: Ledger, _ records: [Sighting]) {
        var told: [Subject: Set<String>] = [:]
        for record in records {
            guard let (thing, owner, isAsked) = subject(of: record, in: ledger), let fact = record.fact else {
                found(.unasked, "\(record.place): \(record.fact ?? "nothing known") about nothing that was asked for")
                continue
            }
            if !isAsked { found(.unasked, "\(record.place): \(fact) of \(thing)") }
            if record.tenant != owner || record.data?.tenantId != owner {
                found(
                    .foreignTenant,
                    "\(record.place): \(fact) of \(thing) is \(owner)'s, and says \(record.tenant ?? "nobody's") and "
                        + "\(record.data?.tenantId ?? "nobody's")")
            }
            told[Subject(fact: fact, thing: thing), default: []].insert(record.factID ?? "")
        }
        for (subject, identities) in told where identities.count > 1 {
            found(.doubledEvent, "\(subject.fact) of \(subject.thing) is told as \(identities.count) facts")
        }
        func expect(_ fact: String, _ thing: String) {
            if told[Subject(fact: fact, thing: thing)] == nil { found(.lostEvent, "\(fact) of \(thing)") }
        }
        for tenant in ledger.tenants { expect(Fact.registered, tenant) }
        for order in ledger.orders.values {
            for fact in order.acknowledged { expect(fact, order.id) }
            // What the reactions tell in their turn.
            expect(Fact.metered, order.id)
            if order.acknowledged.contains(Fact.fulfilled) { expect(Fact.invoiced, order.id) }
        }
        for usage in ledger.usage.values where usage.isAcknowledged { expect(Fact.metered, usage.id) }
    }

    private func subject(of record: Sighting, in ledger: Ledger) -> (thing: String, owner: String, isAsked: Bool)? {
        switch (record.topic, record.fact) {
        case ("identity.tenant", Fact.registered):
            guard let tenant = record.key, ledger.tenants.contains(tenant) else { return nil }
            return (tenant, tenant, true)
        case ("orders.order", let fact?):
            guard let order = record.key.flatMap({ ledger.orders[$0] }), record.data?.orderId == order.id else {
                return nil
            }
            return (order.id, order.tenant, order.acknowledged.union(order.asked).contains(fact))
        case ("billing.invoice", Fact.invoiced):
            guard let order = record.data?.orderId.flatMap({ ledger.orders[$0] }) else { return nil }
            return (order.id, order.tenant, order.acknowledged.union(order.asked).contains(Fact.fulfilled))
        case ("metering.usage", Fact.metered):
            if record.data?.source == Fact.ordersSource {
                guard let order = record.data?.subject.flatMap({ ledger.orders[$0] }) else { return nil }
                return (order.id, order.tenant, true)
            }
            guard let usage = record.data?.id.flatMap({ ledger.usage[$0] }), usage.source == record.data?.source else {
                return nil
            }
            return (usage.id, usage.tenant, true)
        default: return nil
        }
    }
}

import Testing

/// The ledger finds each kind of fault in books that are otherwise in order.
@Suite("The ledger")
struct LedgerTests {
    @Test("finds nothing where everything is as it was asked for")
    func clean() {
        let books = Books()
        let audit = books.audit()
        #expect(audit.findings.isEmpty, "\(audit.findings)")
        #expect(audit.duplicates == 0)
    }

    @Test("takes a record that comes again for a duplicate, and for nothing worse")
    func duplicate() {
        var books = Books()
        var again = books.records[1]
        again.offset = 100
        books.records.append(again)
        let audit = books.audit()
        #expect(audit.findings.isEmpty, "\(audit.findings)")
        #expect(audit.duplicates == 1)
    }

    @Test("takes two versions of one fact for one fact")
    func versions() {
        var books = Books()
        var older = books.records[1]
        older.headers["ce_id"] = "other"
        older.headers["ce_type"] = "orders.order.placed.v2"
        older.headers["ce_factid"] = books.records[1].id
        books.records[1].headers["ce_factid"] = books.records[1].id
        books.records.insert(older, at: 1)
        let audit = books.audit()
        #expect(audit.findings.isEmpty, "\(audit.findings)")
    }

    @Test("finds what is wrong", arguments: Fault.all)
    func finds(_ fault: Fault) {
        var books = Books()
        fault.commit(&books)
        let audit = books.audit()
        #expect(audit.findings.contains { $0.kind == fault.kind }, "\(audit.findings)")
    }

    @Test("has a fault for every kind of finding")
    func complete() {
        #expect(Set(Fault.all.map(\.kind)) == Set(Finding.Kind.allCases))
    }
}

struct Fault: Sendable, CustomTestStringConvertible {
    let name: String
    let kind: Finding.Kind
    let commit: @Sendable (inout Books) -> Void

    var testDescription: String { name }

    static let all: [Fault] = [
        Fault(name: "an event missing", kind: .lostEvent) { $0.records.remove(at: 2) },
        Fault(name: "a reaction's event missing", kind: .lostEvent) { $0.records.remove(at: 4) },
        Fault(name: "usage not told of", kind: .lostEvent) { $0.records.remove(at: 6) },
        Fault(name: "an invoice missing", kind: .lostEffect) { $0.effects.invoices["a"] = [] },
        Fault(name: "an order not counted", kind: .lostEffect) { $0.effects.ordersMetered["a"] = 0 },
        Fault(name: "usage counted short", kind: .lostEffect) { $0.effects.usage["a"] = 2 },
        Fault(name: "a gap in the numbers", kind: .lostEffect) {
            $0.effects.invoices["a"] = [Effects.Invoice(number: "INV-000002", order: "o", totalMinor: 1250)]
        },
        Fault(name: "an event under a second identity", kind: .doubledEvent) { books in
            var again = books.records[3]
            again.headers["ce_id"] = "other"
            again.headers["ce_sequence"] = "9"
            books.records.append(again)
        },
        Fault(name: "two invoices", kind: .doubledEffect) {
            $0.effects.invoices["a"]?.append(
                Effects.Invoice(number: "INV-000002", order: "o", totalMinor: 1250))
        },
        Fault(name: "usage counted twice", kind: .doubledEffect) { $0.effects.usage["a"] = 6 },
        Fault(name: "an order counted twice", kind: .doubledEffect) { $0.effects.ordersMetered["a"] = 2 },
        Fault(name: "two events swapped", kind: .reordered) { $0.records.swapAt(2, 3) },
        Fault(name: "two facts at one sequence", kind: .reordered) { $0.records[3].headers["ce_sequence"] = "3" },
        Fault(name: "another tenant in the header", kind: .foreignTenant) {
            $0.records[1].headers["ce_tenantid"] = "b"
        },
        Fault(name: "another tenant in the data", kind: .foreignTenant) { $0.records[4].data?.tenantId = "b" },
        Fault(name: "another tenant's invoice", kind: .foreignTenant) { books in
            books.effects.invoices["b"] = books.effects.invoices.removeValue(forKey: "a")
        },
        Fault(name: "an order nobody placed", kind: .unasked) { books in
            var record = books.records[1]
            record.key = "p"
            record.data?.orderId = "p"
            record.headers["ce_id"] = "p1"
            books.records.append(record)
        },
        Fault(name: "a move nobody made", kind: .unasked) { books in
            var record = books.records[3]
            record.headers["ce_type"] = "orders.order.cancelled.v1"
            record.headers["ce_id"] = "c"
            record.headers["ce_sequence"] = "5"
            books.records.append(record)
        },
        Fault(name: "an invoice for nothing", kind: .unasked) {
            $0.effects.invoices["b"] = [Effects.Invoice(number: "INV-000001", order: "p", totalMinor: 1)]
        },
        Fault(name: "a record without a key", kind: .unasked) { $0.records[1].key = nil },
        Fault(name: "an invoice of another amount", kind: .altered) {
            $0.effects.invoices["a"] = [Effects.Invoice(number: "INV-000001", order: "o", totalMinor: 1)]
        },
    ]
}

/// One order of one of two tenants, all the way, and one use of the load's meter.
struct Books: Sendable {
    var ledger = Ledger()
    var records: [Sighting] = []
    var effects = Effects()

    init() {
        ledger.registered(tenant: "a")
        ledger.registered(tenant: "b")
        ledger.opened(order: "o", tenant: "a", totalMinor: 1250)
        for fact in [Fact.approved, Fact.fulfilled] {
            ledger.asked(for: fact, of: "o")
            ledger.acknowledged(fact, of: "o")
        }
        ledger.asked(forUsage: "u", tenant: "a", value: 3)
        ledger.acknowledged(usage: "u")
        records = [
            record("identity.tenant", key: "a", Fact.registered, 1, Sighting.Content()),
            record("orders.order", key: "o", Fact.placed, 2, Sighting.Content(orderId: "o")),
            record("orders.order", key: "o", Fact.approved, 3, Sighting.Content(orderId: "o")),
            record("orders.order", key: "o", Fact.fulfilled, 4, Sighting.Content(orderId: "o")),
            record("billing.invoice", key: "i", Fact.invoiced, 1, Sighting.Content(orderId: "o")),
            record(
                "metering.usage", key: "m", Fact.metered, 1, Sighting.Content(source: Fact.ordersSource, subject: "o")),
            record(
                "metering.usage", key: "n", Fact.metered, 1, Sighting.Content(source: Ledger.usageSource, id: "u")),
            record("identity.tenant", key: "b", Fact.registered, 1, Sighting.Content(), tenant: "b"),
        ]
        effects.invoices = ["a": [Effects.Invoice(number: "INV-000001", order: "o", totalMinor: 1250)], "b": []]
        effects.ordersMetered = ["a": 1, "b": 0]
        effects.usage = ["a": 3, "b": 0]
    }

    func audit() -> Audit { Audit(ledger, records, effects) }

    private func record(
        _ topic: String, key: String, _ fact: String, _ sequence: Int, _ data: Sighting.Content, tenant: String = "a"
    ) -> Sighting {
        var data = data
        data.tenantId = tenant
        return Sighting(
            topic: topic, partition: 0, offset: records.count, key: key,
            headers: [
                "ce_id": "\(fact)-\(key)", "ce_type": "\(fact).v1", "ce_tenantid": tenant,
                "ce_sequence": "\(sequence)",
            ], data: data)
    }
}

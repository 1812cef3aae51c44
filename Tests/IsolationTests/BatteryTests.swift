import Foundation
import Postgres
import Testing

@Suite("Every tenant table of every schema")
struct BatteryTests {
    @Test("keeps A and B apart for every role that has rights on it")
    func everyCheckHolds() async throws {
        try await Battery.withDatabase { connection in
            let battery = try await Battery(on: connection)
            #expect(battery.catalogue.tables.count > 40)
            let failure = try await battery.firstFailure(on: connection)
            #expect(failure == nil, "\(failure?.check ?? ""): \(failure?.finding ?? "")")
        }
    }

    @Test("a table that the battery can't fill is named")
    func unknownTable() async throws {
        try await Battery.withDatabase { connection in
            try await connection.script(
                "CREATE TABLE orders.odd (tenant_id uuid NOT NULL, place point NOT NULL, PRIMARY KEY (tenant_id))")
            let error = await #expect(throws: NoFixture.self) { _ = try await Battery(on: connection) }
            #expect(error?.description.contains("orders.odd.place, a point") == true)
        }
    }

    /// One of each kind; `make mutation-test` takes them all.
    @Test(
        "a fence that is taken down is noticed",
        arguments: [
            "DROP POLICY tenant_isolation on orders.orders", "NO FORCE ROW LEVEL SECURITY on billing.invoices",
            "order_lines_tenant_id_order_id_fkey of orders.order_lines without tenant_id",
            "meters_key_key of metering.meters without tenant_id", "GRANT UPDATE ON orders.order_history TO orders_app",
            "platform.tenant_id without its check of the role", "platform.enter without its check of the signature",
        ])
    func representatives(_ name: String) async throws {
        try await Battery.withDatabase { connection in
            let battery = try await Battery(on: connection)
            let mutants = try await Mutants(battery.catalogue, on: connection)
            let mutant = try #require(mutants.all.first { $0.name == name })
            let failure = try await battery.firstFailure(
                after: mutant.change, trying: mutant.table, on: connection)
            #expect(failure != nil)
        }
    }
}

import Testing

@Suite("The fences between the contexts")
struct FenceTests {
    @Test("hold in the project as it is")
    func project() throws {
        let tree = try SourceTree.project()
        #expect(Fences.all(in: tree) == [])
        #expect(tree.contexts == ["Billing", "Identity", "Metering", "Orders"])
    }

    @Test(
        "catch a core that imports another context, however the import is written",
        arguments: [
            "import Billing", "package import BillingAdapters", "@testable import Billing",
            "import struct BillingContracts.InvoiceIssuedV1", "  import   Billing",
        ])
    func foreignImport(_ line: String) throws {
        let tree = try SourceTree.project().planting("Modules/Orders/Core/Planted.swift", line + "\n")
        #expect(Fences.imports(in: tree).count == 1)
    }

    @Test("let a context see the contracts it reacts to, and not the core behind them")
    func contractsOnly() throws {
        let tree = try SourceTree.project()
        #expect(Fences.imports(in: tree.planting("Modules/Billing/Core/P.swift", "import OrdersContracts")) == [])
        #expect(Fences.imports(in: tree.planting("Modules/Billing/Core/P.swift", "import Orders")).count == 1)
        #expect(Fences.imports(in: tree.planting("Modules/Billing/Adapters/P.swift", "import Orders")).count == 1)
        #expect(Fences.imports(in: tree.planting("Modules/Orders/Core/P.swift", "import IdentityContracts")).count == 1)
    }

    @Test("catch a core that knows of infrastructure", arguments: ["Hummingbird", "Logging", "NIOCore", "Glibc"])
    func impureCore(_ module: String) throws {
        let tree = try SourceTree.project().planting("Modules/Orders/Core/P.swift", "import \(module)")
        #expect(Fences.coreIsPure(in: tree).count == 1)
    }

    @Test("catch a core and a contract that see the platform", arguments: ["Postgres", "Tenancy", "Messaging", "Web"])
    func platformInCore(_ module: String) throws {
        let tree = try SourceTree.project()
        #expect(Fences.imports(in: tree.planting("Modules/Orders/Core/P.swift", "import \(module)")).count == 1)
        #expect(Fences.imports(in: tree.planting("Modules/Orders/Contracts/P.swift", "import \(module)")).count == 1)
    }

    @Test("catch a platform target that knows a context", arguments: ["Messaging", "Tenancy", "Web", "Kernel"])
    func platformKnowsContext(_ target: String) throws {
        let tree = try SourceTree.project().planting("Sources/\(target)/P.swift", "import OrdersContracts")
        #expect(Fences.imports(in: tree).count == 1)
    }

    @Test(
        "catch SQL that reaches into another context's schema",
        arguments: [
            "SELECT 1 FROM orders.orders", "insert into orders.outbox values (1)",
            "JOIN\n    orders.order_lines l ON true",
            "UPDATE orders.orders SET state = 'x'", "DELETE FROM orders.orders",
        ])
    func foreignSchema(_ sql: String) throws {
        let tree = try SourceTree.project()
            .planting("Modules/Billing/Adapters/P.swift", "let sql: SQL = \"\"\"\n\(sql)\n\"\"\"")
        #expect(Fences.foreignSchemas(in: tree).count == 1)
        let migration = try SourceTree.project().planting("schemas/sql/billing/0099_p.sql", sql)
        #expect(Fences.foreignSchemas(in: migration).count == 1)
    }

    @Test("catch a context that the manifest, the schema or the roles forgot")
    func forgottenContext() throws {
        let tree = try SourceTree.project().planting("Modules/Shipping/Core/Shipment.swift", "struct Shipment {}")
        #expect(Fences.contextsListed(in: tree).count == 5)
        let withoutSQL = try SourceTree.project().removing { $0.hasPrefix("schemas/sql/billing/") }
        #expect(Fences.contextsListed(in: withoutSQL) == ["Modules/Billing has no SQL in schemas/sql/billing"])
    }

    @Test("catch a list of contexts beside the one that there is")
    func secondList() throws {
        let tree = try SourceTree.project()
            .planting("Sources/Atrium/Commands/P.swift", "import BillingAdapters\nimport OrdersAdapters")
        #expect(Fences.contextsComposed(in: tree).count == 1)
    }

    @Test(
        "catch work that nobody waits for",
        arguments: ["Task {", "Task.detached {", "Task(priority: .low) {", "_ = Task{"])
    func unstructuredTask(_ line: String) throws {
        let tree = try SourceTree.project().planting("Modules/Orders/Adapters/P.swift", line + " work() }")
        #expect(Fences.unstructuredTasks(in: tree).count == 1)
    }
}

import DevStack
import Foundation
import TestSupport
import Testing

/// The compiler's fence, tried on a package of the project's shape that breaks it.
@Suite("The compiler's fence")
struct CompilerFenceTests {
    private static let manifest = """
        // swift-tools-version: 6.2
        import PackageDescription
        let package = Package(name: "planted", targets: [
            .target(name: "BillingContracts"), .target(name: "Billing", dependencies: ["BillingContracts"]),
            .target(name: "Orders"), .target(name: "Program", dependencies: ["Orders", "Billing"]),
        ])
        """

    @Test("refuses an import that the manifest does not grant, by its exit code")
    func undeclaredImport() async throws {
        let honest = try await Self.build(orders: "public struct Order {}")
        #expect(honest.status.isSuccess, "\(honest.output)\(honest.errors)")
        let planted = try await Self.build(orders: "import Billing\npublic struct Order { let invoice: Invoice? }")
        #expect(!planted.status.isSuccess)
        #expect((planted.output + planted.errors).contains("Billing"))
    }

    private static func build(orders: String) async throws -> ProgramOutput {
        let folder = try await TestFolder.make()
        let sources = [
            "Package.swift": manifest,
            "Sources/BillingContracts/Event.swift": "public struct Event {}",
            "Sources/Billing/Invoice.swift": "public struct Invoice {}",
            "Sources/Orders/Order.swift": orders,
            "Sources/Program/Program.swift": "import Orders\nimport Billing\nlet order: Order? = nil",
        ]
        for (path, text) in sources {
            let url = URL(filePath: folder.path).appending(path: path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        // One job: Billing is built before Orders, so that only the check can refuse the import.
        let output = try await ChildProcess.run(
            Program(
                "/usr/bin/env",
                [
                    "swift", "build", "--package-path", folder.path, "--jobs", "1",
                    "--explicit-target-dependency-import-check", "error",
                ], environment: ProcessInfo.processInfo.environment))
        try await folder.remove()
        return output
    }
}

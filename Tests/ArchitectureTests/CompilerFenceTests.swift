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
        let folder = try await TestFolder.make()
        for (path, text) in [
            "Package.swift": Self.manifest,
            "Sources/BillingContracts/Event.swift": "public struct Event: Sendable {}",
            "Sources/Billing/Invoice.swift": "public struct Invoice: Sendable {}",
            "Sources/Orders/Order.swift": "public struct Order: Sendable {}",
            "Sources/Program/Program.swift": "import Billing\nimport Orders\nlet order: Order? = nil",
        ] { try Self.write(text, to: path, in: folder) }
        let honest = try await Self.build(folder)
        #expect(honest.status.isSuccess, "\(honest.output)\(honest.errors)")
        // Billing is built by now, so that nothing but the check can refuse the import.
        try Self.write(
            "import Billing\npublic struct Order: Sendable { let invoice: Invoice? }", to: "Sources/Orders/Order.swift",
            in: folder)
        let planted = try await Self.build(folder)
        #expect(!planted.status.isSuccess)
        #expect((planted.output + planted.errors).contains("without declaring it a dependency"), "\(planted.output)")
        try await folder.remove()
    }

    private static func write(_ text: String, to path: String, in folder: TestFolder) throws {
        let url = URL(filePath: folder.path).appending(path: path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    private static func build(_ folder: TestFolder) async throws -> ProgramOutput {
        try await ChildProcess.run(
            Program(
                "/usr/bin/env",
                [
                    "swift", "build", "--package-path", folder.path, "--explicit-target-dependency-import-check",
                    "error",
                ], environment: ProcessInfo.processInfo.environment))
    }
}

import DevStack
import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@testable import Atrium

@Suite("The context of a piece of work")
struct ContextTests {
    @Test("is the tenant's own in a job over all tenants, whatever the body does")
    func iterator() async throws {
        try await WatchedPlane.with { watched in
            let pairs = try await watched.tenants.ensure()
            let both = [pairs[0].a, pairs[0].b]
            let (_, directory, _) = try watched.plane.registered()
            let iterator = TenantIterator(directory, for: "test", logger: .silent)
            for tenant in both {
                try await CanaryOrder.lay(tenant, secret: TestDataPlane.secret, in: watched.dataPlane, logger: .silent)
            }
            var seen: [TenantID] = []
            let outcomes = try await iterator.forEach(among: Set(both)) { context, residence in
                #expect(context.tenantID == residence.tenantID)
                let rows = try await watched.dataPlane.query(
                    context, as: .app("orders"), "SELECT tenant_id FROM orders.orders")
                #expect(try rows.map { try $0.decode(TenantID.self) } == [context.tenantID])
                seen.append(context.tenantID)
                // The first one fails inside an open transaction; the second must not notice.
                guard seen.count > 1 else {
                    try await watched.dataPlane.write(context, as: .app("orders")) {
                        _ = try await $0.rowsWriting("UPDATE orders.orders SET total_minor = 9")
                        throw CancellationError()
                    }
                    return
                }
            }
            #expect(seen == both.sorted())
            #expect(outcomes.count == 2)
            guard case .failed? = outcomes[seen[0]], case .done? = outcomes[seen[1]] else {
                Issue.record("\(outcomes)")
                return
            }
            let changed = try await watched.plane.asSuperuser(
                "SELECT count(*) FROM orders.orders WHERE total_minor = 9")
            #expect(try changed[0].decode(Int64.self) == 0)
        }
    }

    @Test("has to be there for a query to compile")
    func compileFence() async throws {
        let folder = try await TestFolder.make()
        let honest = "try await plane.query(tenant, as: .app(\"orders\"), \"SELECT 1\")"
        for (call, compiles) in [
            (honest, true),
            ("try await plane.query(as: .app(\"orders\"), \"SELECT 1\")", false),
            ("try await plane.query(tenant, \"SELECT 1\")", false),
            ("try await Task.detached { try await plane.query(as: .app(\"orders\"), \"SELECT 1\") }.value", false),
            ("try await plane.write(as: .app(\"orders\")) { _ in }", false),
            (
                "try await plane.crossTenant(in: plane.fleet.control, as: .controlPlane, logger: tenant.logger) { _ in }",
                false
            ),
            ("try await plane.write(tenant, as: CrossTenantRole.controlPlane) { _ in }", false),
            ("TenantTransaction()", false),
        ] {
            let text = """
                import Tenancy
                import Postgres
                func work(_ plane: DataPlane, _ tenant: TenantContext) async throws { _ = \(call) }
                """
            let file = URL(filePath: folder.path).appending(path: "Work.swift")
            try Data(text.utf8).write(to: file)
            let output = try await Self.typecheck(file)
            #expect(output.status.isSuccess == compiles, "\(call)\n\(output.output)\(output.errors)")
        }
        try await folder.remove()
    }

    /// Reads the modules that this test was built with.
    private static func typecheck(_ file: URL) async throws -> ProgramOutput {
        let modules = Places.products.appending(path: "Modules").path()
        let root = Places.packageRoot.path()
        var arguments = [
            "swiftc", "-typecheck", "-swift-version", "6", "-package-name", packageName, "-I", modules, "-I",
            "/usr/include/postgresql",
        ]
        for map in moduleMaps(root) { arguments += ["-Xcc", "-fmodule-map-file=\(map)"] }
        return try await ChildProcess.run(
            Program(
                "/usr/bin/env", arguments + [file.path()], environment: ProcessInfo.processInfo.environment))
    }

    /// Of every C module that the modules above are made of, ours and those of other packages.
    private static func moduleMaps(_ root: String) -> [String] {
        func entries(_ folder: String) -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).map { "\(folder)/\($0)" }
        }
        let folders =
            entries("\(root)/Sources")
            + entries("\(root)/.build/checkouts").flatMap { entries("\($0)/Sources") }.map { "\($0)/include" }
            + entries(Places.products.path())
        return folders.map { "\($0)/module.modulemap" }.filter { FileManager.default.fileExists(atPath: $0) }
    }

    /// What SwiftPM calls the package, for `package` declarations to be seen: the folder's name.
    private static var packageName: String {
        String(
            Places.packageRoot.lastPathComponent.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
    }
}

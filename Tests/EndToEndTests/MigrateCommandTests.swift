import DevStack
import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@Suite("atrium migrate", .showsPrograms)
struct MigrateCommandTests {
    @Test("brings every tier to the new shape, names the one schema that it can't, and mends that when run again")
    func everyTier() async throws {
        // A server of its own: the template of silos is the server's, and made of the files.
        try await Stack.onServerOfItsOwn { stack in
            let (bridge, broken) = try await stack.servingOnce { stack in
                _ = try await stack.register(on: .silo)
                return (try await stack.register(on: .bridge), try await stack.register(on: .bridge))
            }
            let folder = try await TestFolder.make()
            let schemas = "\(folder.path)/schemas"
            try FileManager.default.copyItem(
                atPath: Places.packageRoot.appending(path: "schemas").path(), toPath: schemas)
            try "ALTER TABLE order_lines ADD COLUMN note text;\n".write(
                toFile: "\(schemas)/sql/orders/0099_note.sql", atomically: true, encoding: .utf8)
            let lines = "orders__t\(broken.id.replacing("-", with: ""))"
            try await stack.execute("ALTER TABLE \(identifier: lines).order_lines RENAME TO hidden")

            let status = try await stack.migrate(schemas, ["--status"])
            #expect(status.exit == .exited(1))
            #expect(status.output.filter { $0.hasSuffix("orders/0099_note.sql") }.count == 4, "\(status)")

            let first = try await stack.migrate(schemas)
            #expect(first.exit == .exited(1))
            #expect(first.output.contains { $0.contains(lines) && $0.contains("failed") }, "\(first)")
            let column = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'note'"
            #expect(try await stack.number(SQL(unsafeSQL: column)) == 2, "the pool's and the other tenant's")
            let silo = stack.database.database(
                try await PostgresConnection.execute(
                    "SELECT database FROM control.placements WHERE tier = 'silo'", at: stack.database)[0]
                    .decode(String.self))
            #expect(
                try await PostgresConnection.execute(SQL(unsafeSQL: column), at: silo)[0].decode(Int64.self) == 1)

            try await stack.execute("ALTER TABLE \(identifier: lines).hidden RENAME TO order_lines")
            let second = try await stack.migrate(schemas)
            #expect(second.exit == .exited(0), "\(second)")
            #expect(try await stack.number(SQL(unsafeSQL: column)) == 3)
            #expect(try await stack.migrate(schemas, ["--status"]).exit == .exited(0))
            _ = bridge
            try await folder.remove()
        }
    }
}

extension Stack {
    static func onServerOfItsOwn(_ body: @Sendable (Stack) async throws -> Void) async throws {
        try await PostgresServer.withDedicated { cluster in
            _ = try await cluster.primary.execute("CREATE DATABASE atrium")
            let database = cluster.primary.address.database("atrium")
            try await DatabaseTemplate.migrate(database)
            try await with(database, body)
        }
    }

    /// Serves for as long as the body runs, and hands its result out.
    func servingOnce<Value: Sendable>(_ body: @Sendable (Stack) async throws -> Value) async throws -> Value {
        try await AtriumProcess.with(["serve"], environment: environment(), readyWhen: .url("\(url)/health/live")) {
            _ in try await body(self)
        }
    }

    fileprivate func migrate(
        _ schemas: String, _ arguments: [String] = []
    ) async throws -> (exit: ProgramExit, output: [String]) {
        let process = try await AtriumProcess.start(
            ["migrate"] + arguments,
            environment: [
                "ATRIUM_ADMIN_DATABASE_URL": database.url, "ATRIUM_SECRET": Self.secret, "ATRIUM_SCHEMAS": schemas,
                "ATRIUM_LOG_LEVEL": "error",
            ], readyWhen: .none)
        let exit = try await process.waitForExit(within: .seconds(60))
        return (exit, process.output)
    }
}

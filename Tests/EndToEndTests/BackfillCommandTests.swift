import DevStack
import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@Suite("atrium backfill", .showsPrograms)
struct BackfillCommandTests {
    private static let file = """
        -- table: orders
        -- key: id
        -- type: uuid
        -- batch: 2
        WITH page AS (
            SELECT id FROM orders.orders WHERE :after IS NULL OR id > :after ORDER BY id LIMIT :limit
        ), filled AS (
            UPDATE orders.orders o SET updated_at = '2001-01-01T00:00:00Z' FROM page WHERE o.id = page.id
        )
        SELECT id FROM page;
        """

    @Test("is listed, rehearsed, run on every tier from where it was cut off, and shown")
    func everyTier() async throws {
        try await Stack.with { stack in
            let folder = try await TestFolder.make()
            let schemas = "\(folder.path)/schemas"
            try FileManager.default.copyItem(
                atPath: Places.packageRoot.appending(path: "schemas").path(), toPath: schemas)
            let orders = "\(schemas)/backfills/orders"
            try FileManager.default.createDirectory(atPath: orders, withIntermediateDirectories: true)
            try Self.file.write(toFile: "\(orders)/0001_dates.sql", atomically: true, encoding: .utf8)
            try await stack.serving { _ in
                for tier in [Tier.pool, .bridge, .silo] {
                    let tenant = try await stack.register("on-\(tier.rawValue)", on: tier)
                    for _ in 0..<3 { #expect(try await tenant.openOrder(place: true).status == 201) }
                }
            }
            func backfill(_ arguments: String...) async throws -> (exit: ProgramExit, output: [String]) {
                let process = try await AtriumProcess.start(
                    ["backfill"] + arguments,
                    environment: stack.environment(logLevel: "error").merging(["ATRIUM_SCHEMAS": schemas]) { $1 },
                    readyWhen: .none)
                return (try await process.waitForExit(within: .seconds(60)), process.output)
            }

            let list = try await backfill("list")
            #expect(list.output.contains { $0.contains("orders/0001_dates") }, "\(list)")

            let rehearsal = try await backfill("run", "orders/0001_dates", "--dry-run")
            #expect(rehearsal.exit == .exited(0), "\(rehearsal)")
            #expect(rehearsal.output.filter { $0.contains("the next batch has 2 rows") }.count == 3, "\(rehearsal)")
            let filled: SQL = "SELECT count(*) FROM orders.orders WHERE updated_at = '2001-01-01T00:00:00Z'"
            #expect(try await stack.number(filled) == 0, "a rehearsal changes nothing")

            let one = try await backfill("run", "orders/0001_dates", "--tenant", "on-pool")
            #expect(one.exit == .exited(0), "\(one)")
            #expect(try await stack.number(filled) == 3)
            let half = try await backfill("status")
            #expect(half.output.contains { $0.contains("on-pool") && $0.contains("done") }, "\(half)")
            #expect(half.output.filter { $0.contains("not begun") }.count == 2, "\(half)")

            let all = try await backfill("run", "orders/0001_dates")
            #expect(all.exit == .exited(0), "\(all)")
            #expect(all.output.contains("3 tenants, 0 failed"), "\(all)")
            let done = try await backfill("status", "orders/0001_dates")
            #expect(done.output.filter { $0.contains("\tdone\t") && $0.contains("\t3\t") }.count == 3, "\(done)")

            let unknown = try await backfill("run", "orders/0002_other")
            #expect(!unknown.exit.isSuccess)
            #expect(unknown.output.contains { $0.contains("orders/0002_other") }, "\(unknown)")
            try await folder.remove()
        }
    }
}

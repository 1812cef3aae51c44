import Foundation
import Tenancy
import TestSupport
import Testing

@Suite("The file of a backfill")
struct BackfillFileTests {
    private static let header = "-- table: orders\n-- key: id\n-- type: uuid\n-- batch: 500\n"
    private static let statement = "SELECT id FROM orders.orders WHERE id > :after ORDER BY id LIMIT :limit"

    private static func definitions(_ files: [String: String]) async throws -> [BackfillDefinition] {
        let folder = try await TestFolder.make()
        let outcome = Result {
            for (name, text) in files {
                let url = URL(filePath: folder.path).appending(path: "backfills/\(name)")
                try FileManager.default.createDirectory(
                    at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: url)
            }
            return try BackfillFiles(
                directory: URL(filePath: folder.path).appending(path: "backfills"), contexts: ["billing", "orders"]
            ).definitions
        }
        try await folder.remove()
        return try outcome.get()
    }

    @Test("says what its batches go along, and may say more to people")
    func good() async throws {
        let text =
            "-- Fills what 0007 adds. Its way:\n\r\n--table:orders\r\n-- key: id\n-- type: bigint\n--  batch: 20\n\n"
            + Self.statement + " -- all of :limit\n;\n"
        let found = try await Self.definitions([
            "orders/0002_b.sql": text, "orders/0001_a.sql": Self.header + Self.statement, "billing/README.md": "x",
            "README.md": "x",
        ])
        #expect(found.map(\.name) == ["orders/0001_a", "orders/0002_b"])
        #expect(found[1].table == "orders" && found[1].key == "id" && found[1].type == .bigint && found[1].batch == 20)
    }

    @Test("need not be there")
    func none() async throws {
        #expect(try await Self.definitions([:]).isEmpty)
        let shipped = try BackfillFiles(
            directory: Places.packageRoot.appending(path: "schemas/backfills"),
            contexts: ["identity", "orders", "billing", "metering"])
        #expect(throws: UnknownBackfill.self) { try shipped.definition("orders/0000_none") }
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        let text: String
        let error: String

        init(header: String = BackfillFileTests.header, _ statement: String, _ error: String) {
            text = header + statement
            self.error = error
        }

        init(header: String, _ error: String) {
            self.init(header: header, BackfillFileTests.statement, error)
        }

        var testDescription: String { error }
    }

    @Test(
        "that is not strictly one is refused, with its line and what to do",
        arguments: [
            Bad(header: header + "-- tabel: x\n", ":5: the header tabel is unknown; there are table, key, type, batch"),
            Bad(header: header + "-- key: id\n", ":5: the header key was in line 2 already"),
            Bad(header: "-- key: id\n-- type: uuid\n-- batch: 5\n", ":1: the header table is missing"),
            Bad(header: "-- table: orders\n-- type: uuid\n-- batch: 5\n", ":1: the header key is missing"),
            Bad(header: "-- table: orders\n-- key: id\n-- batch: 5\n", ":1: the header type is missing"),
            Bad(header: "-- table: orders\n-- key: id\n-- type: uuid\n", ":1: the header batch is missing"),
            Bad(header: header.replacing("500", with: "0"), ":4: the batch 0 is no number from 1 to 10000"),
            Bad(header: header.replacing("500", with: "10001"), ":4: the batch 10001 is no number"),
            Bad(header: header.replacing("500", with: "many"), ":4: the batch many is no number"),
            Bad(
                header: header.replacing("uuid", with: "jsonb"),
                ":3: the type jsonb can't be a key's; write one"),
            Bad(
                header: header.replacing("orders", with: "orders.orders"),
                ":1: the table orders.orders is no plain"),
            Bad(header: header.replacing("id\n", with: "\"id\"\n"), ":2: the key \"id\" is no plain name"),
            Bad("", ": there is no statement"),
            Bad("SELECT 1;\nSELECT 2", ":6: a second statement begins here"),
            Bad("\nDO $$ :after :limit $$", ":6: a batch can't begin with do"),
            Bad("SELECT id FROM orders.orders LIMIT :limit", ":5: the statement is without :after"),
            Bad("SELECT id FROM orders.orders WHERE id > :after", ":5: the statement is without :limit"),
            Bad("SELECT ':after' LIMIT :limit -- :after", ":5: the statement is without :after"),
            Bad("SELECT :after\nLIMIT :limits", ":6: the placeholder :limits is unknown"),
            Bad("SELECT :after, $1 LIMIT :limit", ":5: the parameter $1 has no value"),
            Bad("SELECT :after LIMIT :limit OFFSET $2", ":5: the parameter $2 has no value"),
            Bad("SELECT :after LIMIT :limit '", ":5: a string is opened here and never closed"),
        ])
    func bad(_ bad: Bad) async throws {
        let error = await #expect(throws: BackfillFileError.self) {
            try await Self.definitions(["orders/0001_a.sql": bad.text])
        }
        let text = try #require(error?.description)
        #expect(text.hasPrefix("backfills/orders/0001_a.sql" + bad.error), "\(text)")
        #expect(error?.remedy.isEmpty == false)
    }

    @Test(
        "is named and placed as migrations are",
        arguments: [
            (["orders/1_a.sql"], "it is not named NNNN_<what>.sql"), (["orders/0000_a.sql"], "it is not named"),
            (["orders/0001_A b.sql"], "it is not named"), (["sales/0001_a.sql"], "there is no context sales"),
            (["0001_a.sql"], "it is in no context's folder"),
            (["orders/0001_a.sql", "orders/0001_b.sql"], "0001_a.sql has the same number"),
        ])
    func names(_ names: [String], _ problem: String) async throws {
        let error = await #expect(throws: BackfillFileError.self) {
            try await Self.definitions(
                Dictionary(uniqueKeysWithValues: names.map { ($0, Self.header + Self.statement) }))
        }
        #expect(error?.problem.contains(problem) == true, "\(String(describing: error))")
    }
}

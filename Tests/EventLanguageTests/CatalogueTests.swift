import EventLanguage
import Foundation
import TestSupport
import Testing

@Suite("The catalogue of events")
struct CatalogueTests {
    private static func schema(_ version: Int, deprecated: Bool = false) throws -> EventSchema {
        let mark = """
            "x-deprecated": {"from": "2026-01-01T00:00:00Z", "sunset": "2026-07-01T00:00:00Z", "migration": "https://m"},
            """
        let text = """
            {"title": "ParcelSentV\(version)", "description": "It left.", "type": "object", \(deprecated ? mark : "")
            "x-changes": "Change \(version).", "required": ["tenantId"],
            "properties": {"tenantId": {"type": "string", "format": "uuid", "description": "Whose | is it."}},
            "examples": [{"tenantId": "0198c0de-0000-7000-8000-00000000000\(version)"}]}
            """
        return try EventSchema(path: "parcels/parcel.sent.v\(version).json", bytes: Array(text.utf8))
    }

    private static func type(_ version: Int) -> String { "parcels.parcel.sent.v\(version)" }

    @Test("tells who publishes and reads which version, which one goes, and which one has gone")
    func pages() throws {
        let catalogue = try EventCatalogue(
            schemas: [Self.schema(1), Self.schema(2, deprecated: true), Self.schema(3)],
            published: [Self.type(3), Self.type(2)],
            reactions: [
                EventCatalogue.Reaction(
                    context: "billing", name: "billing.count", types: [Self.type(3), Self.type(2), Self.type(1)])
            ])
        #expect(Set(catalogue.files.keys) == ["README.md", "asyncapi.json", "parcels.parcel.sent.md"])
        let overview = catalogue.files["README.md"] ?? ""
        #expect(overview.contains("v3, v2 (deprecated), v1 (no longer published)"))
        #expect(overview.contains("parcels_parcel -- sent --> billing"))
        #expect(
            overview.contains("| `parcels.parcel.sent.v2` | 2026-01-01T00:00:00Z | 2026-07-01T00:00:00Z | https://m |"))
        let page = catalogue.files["parcels.parcel.sent.md"] ?? ""
        #expect(page.contains("- `billing.count` of Billing, which reads v3, v2, v1\n"))
        #expect(page.contains("| `tenantId` | uuid | Whose \\| is it. |"))
        #expect(page.contains("Change 3.") && page.contains(#""tenantId": "0198c0de-0000-7000-8000-000000000003""#))
        #expect(page.contains("**Deprecated** since 2026-01-01T00:00:00Z, published until 2026-07-01T00:00:00Z."))

        let document = try JSONValue(parsing: catalogue.files["asyncapi.json"] ?? "")
        #expect(
            Set(document["components"]?["messages"]?.object?.keys.map { $0 } ?? [])
                == ["parcels_parcel_sent_v3", "parcels_parcel_sent_v2"])
        let receive = document["operations"]?["billing_count"]
        #expect(receive?["action"] == "receive")
        #expect(receive?["messages"]?.array?.count == 2)
        #expect(receive?["bindings"]?["kafka"]?["groupId"]?["enum"] == ["atrium.billing"])
        #expect(document["operations"]?["publish_parcels_parcel"]?["action"] == "send")
        let goes = document["components"]?["messages"]?["parcels_parcel_sent_v2"]
        #expect(goes?["x-deprecated"]?["sunset"] == "2026-07-01T00:00:00Z")
        #expect(goes?["name"]?.string == Self.type(2))
    }

    @Test("is refused where the code publishes or reads what no schema describes")
    func contradictions() throws {
        let schemas = [try Self.schema(1)]
        #expect(throws: CatalogueMistake.self) {
            try EventCatalogue(schemas: schemas, published: [Self.type(2)], reactions: [])
        }
        #expect(throws: CatalogueMistake.self) {
            try EventCatalogue(
                schemas: schemas, published: [],
                reactions: [EventCatalogue.Reaction(context: "b", name: "b.r", types: [Self.type(1), "x.y.z.v1"])])
        }
    }

    @Test("names every page that is not current, and leaves none behind of what is no more")
    func differences() async throws {
        let folder = try await TestFolder.make()
        let pages = URL(filePath: "\(folder.path)/events", directoryHint: .isDirectory)
        let catalogue = try EventCatalogue(schemas: [Self.schema(1)], published: [Self.type(1)], reactions: [])
        #expect(catalogue.differences(in: pages).count == 3)
        #expect(try catalogue.write(in: pages).count == 3)
        #expect(catalogue.differences(in: pages) == [])
        try Data("old".utf8).write(to: pages.appending(path: "README.md"))
        let page = try Data(contentsOf: pages.appending(path: "parcels.parcel.sent.md"))
        try page.write(to: pages.appending(path: "parcels.parcel.lost.md"))
        let own = pages.appending(path: "how-we-name-events.md")
        try Data("By hand.".utf8).write(to: own)
        let pictures = pages.appending(path: "pictures", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: pictures, withIntermediateDirectories: true)
        #expect(
            catalogue.differences(in: pages) == [
                "README.md is not current", "parcels.parcel.lost.md describes nothing that there is",
            ])
        #expect(try catalogue.write(in: pages) == ["README.md", "parcels.parcel.lost.md"])
        #expect(catalogue.differences(in: pages) == [])
        #expect(try String(contentsOf: own, encoding: .utf8) == "By hand.")
        #expect(FileManager.default.fileExists(atPath: pictures.path(percentEncoded: false)))
        try await folder.remove()
    }
}

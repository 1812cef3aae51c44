import EventLanguage
import Foundation
import Kernel
import TestSupport
import Testing

@Suite("The contracts that schemas ask for")
struct GenerationTests {
    private static let schemas = Places.packageRoot.appending(path: "schemas/events", directoryHint: .isDirectory)

    /// A schema of `parcels/parcel.sent.v1.json` with these properties.
    private static func schema(
        _ properties: String, required: String = #""tenantId""#, more: String = "", title: String = "ParcelSentV1",
        path: String = "parcels/parcel.sent.v1.json"
    ) throws -> EventSchema {
        let tenant = #""tenantId": {"type": "string", "format": "uuid", "x-swift-type": "TenantID"}"#
        let text = """
            {"title": "\(title)", "description": "It left. Readers ignore properties they do not know.",
            "type": "object", "required": [\(required)], \(more)
            "properties": {\(tenant)\(properties.isEmpty ? "" : ", " + properties)}}
            """
        return try EventSchema(path: path, bytes: Array(text.utf8))
    }

    @Test("are in place, letter by letter")
    func project() throws {
        let files = try ContractFiles(EventSchema.all(below: Self.schemas))
        #expect(try files.differences(below: Places.packageRoot) == [])
        #expect(files.texts.count > 15)
    }

    @Test("are written where they lack, and every difference from them is named")
    func differences() async throws {
        let folder = try await TestFolder.make()
        let root = URL(filePath: folder.path, directoryHint: .isDirectory)
        let files = try ContractFiles([Self.schema(#""weight": {"type": "integer"}"#)])
        let generated = "Modules/Parcels/Contracts/Generated"
        try FileManager.default.createDirectory(at: root.appending(path: "Modules"), withIntermediateDirectories: true)
        #expect(
            try files.differences(below: root) == [
                "\(generated)/ParcelSentV1.swift is missing", "\(generated)/ParcelsLanguage.swift is missing",
            ])
        #expect(try files.write(below: root).count == 2)
        #expect(try files.differences(below: root) == [])
        #expect(try files.write(below: root) == [])
        try Data("// edited".utf8).write(to: root.appending(path: "\(generated)/ParcelSentV1.swift"))
        try Data().write(to: root.appending(path: "\(generated)/Forgotten.swift"))
        #expect(
            try files.differences(below: root) == [
                "\(generated)/Forgotten.swift has no schema",
                "\(generated)/ParcelSentV1.swift is not what the schemas say",
            ])
        #expect(
            try files.write(below: root) == ["\(generated)/Forgotten.swift", "\(generated)/ParcelSentV1.swift"])
        #expect(try files.differences(below: root) == [])
        try await folder.remove()
    }

    @Test("have a Swift type for everything that a schema may hold")
    func everything() throws {
        let files = try ContractFiles([
            Self.schema(
                """
                "sentAt": {"type": "string", "format": "date-time", "description": "When."},
                "weight": {"type": "integer", "minimum": 1}, "in": {"type": "boolean"},
                "note": {"type": "string", "maxLength": 9},
                "value": {"type": "object", "x-swift-type": "Money"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "pieces": {"type": "array", "items": {"title": "PieceV1", "description": "A piece.", "type": "object",
                    "required": ["size"], "properties": {"size": {"type": "string", "title": "SizeV1",
                    "enum": ["small", "extra-large"]}, "mark": {"type": "string"}}}},
                "carrier": {"title": "CarrierV1", "type": "string", "x-known-values": ["post", "own.van"]}
                """, required: #""tenantId", "sentAt", "pieces", "carrier""#,
                more: """
                    "x-deprecated": {"from": "2026-01-01T00:00:00Z", "sunset": "2026-07-01T00:00:00Z",
                    "migration": "https://example.com/move"},
                    """)
        ])
        let folder = "Modules/Parcels/Contracts/Generated"
        #expect(
            Set(files.texts.keys)
                == Set(
                    ["ParcelSentV1", "PieceV1", "SizeV1", "CarrierV1", "ParcelsLanguage"].map {
                        "\(folder)/\($0).swift"
                    }))
        let event = files.texts["\(folder)/ParcelSentV1.swift"] ?? ""
        for line in [
            "public let tenantId: TenantID", "/// When.", "public let sentAt: Timestamp", "public let weight: Int64?",
            "public let `in`: Bool?", "public let note: String?", "public let value: Money?",
            "public let labels: [String: String]?", "public let pieces: [PieceV1]", "public let carrier: CarrierV1",
            "self.in = `in`", "public static let type = \"parcels.parcel.sent.v1\"", "/// It left.",
            "from: Timestamp(microsecondsSinceEpoch: 1_767_225_600_000_000),",
            "/// - Important: Deprecated since 2026-01-01T00:00:00Z, published until 2026-07-01T00:00:00Z. How to move:",
        ] {
            #expect(event.contains(line + "\n"), "\(line) in \(event)")
        }
        #expect(files.texts["\(folder)/SizeV1.swift"]?.contains("    case extraLarge = \"extra-large\"\n") == true)
        #expect(files.texts["\(folder)/PieceV1.swift"]?.contains("import Kernel") == false)
        let carrier = files.texts["\(folder)/CarrierV1.swift"] ?? ""
        #expect(carrier.contains("public struct CarrierV1: RawRepresentable"))
        #expect(carrier.contains("public static let ownVan = Self(rawValue: \"own.van\")\n"))
    }

    @Test(
        "are refused where Swift could not keep what the schema says, by file and pointer",
        arguments: [
            (#""a": {"type": "number"}"#, "/properties/a"),
            (#""a": {"type": ["string", "null"]}"#, "/properties/a/type"),
            (#""a": {"type": "string", "format": "uuid"}"#, "/properties/a"),
            (#""a": {"oneOf": []}"#, "/properties/a"),
            (#""a": {"type": "string", "oneOf": []}"#, "/properties/a/oneOf"),
            (#""a": {"type": "array"}"#, "/properties/a"),
            (#""a": {"type": "array", "items": {"type": "null"}}"#, "/properties/a/items"),
            (#""a": {"type": "object", "properties": {}}"#, "/properties/a"),
            (
                #""a": {"type": "object", "title": "A", "properties": {}, "additionalProperties": false}"#,
                "/properties/a/additionalProperties"
            ),
            (
                ##""a": {"type": "object", "title": "A", "properties": {"b": {"type": "string", "$ref": "#"}}}"##,
                "/properties/a/properties/b/$ref"
            ),
            (#""a": {"type": "string", "enum": ["x"]}"#, "/properties/a"),
            (#""a": {"type": "string", "title": "A", "enum": ["X Y"]}"#, "/properties/a"),
            (#""a": {"type": "string", "title": "A", "enum": ["x"], "x-known-values": ["y"]}"#, "/properties/a"),
            (#""A/b": {"type": "string"}"#, "/properties/A~1b"),
        ])
    func refused(_ property: String, _ pointer: String) throws {
        let mistake = #expect(throws: SchemaMistake.self) { try ContractFiles([Self.schema(property)]) }
        #expect(mistake?.file == "parcels/parcel.sent.v1.json")
        #expect(mistake?.pointer == pointer)
    }

    @Test("are refused where a file, a title or a shared name does not fit")
    func names() throws {
        func mistake(_ make: () throws -> [EventSchema]) -> SchemaMistake? {
            #expect(throws: SchemaMistake.self) { try ContractFiles(make()) }
        }
        #expect(mistake { [try Self.schema("", title: "Parcel")] }?.pointer == "/title")
        for path in ["parcel.sent.v1.json", "parcels/parcel.v1.json", "parcels/parcel.sent.v0.json"] {
            #expect(mistake { [try Self.schema("", path: path)] }?.file == path)
        }
        #expect(
            mistake { [try Self.schema("", required: #""tenantId", "nothing""#)] }?.reason.contains("nothing") == true)
        #expect(mistake { [try Self.schema("", required: "")] }?.reason.contains("tenantId") == true)
        let two = mistake {
            try ["integer", "string"].enumerated().map { index, kind in
                try Self.schema(
                    #""a": {"type": "object", "title": "A", "properties": {"b": {"type": "\#(kind)"}}}"#,
                    title: "ParcelSentV\(index + 1)", path: "parcels/parcel.sent.v\(index + 1).json")
            }
        }
        #expect(two?.file == "parcels/parcel.sent.v2.json" && two?.reason.contains("parcel.sent.v1") == true)
        #expect(
            mistake { [try Self.schema("", more: #""x-deprecated": {"from": "soon"},"#)] }?.pointer
                == "/x-deprecated/from")
    }

    @Test("have a deprecation and a name by the rules that `check` goes by")
    func sameRules() throws {
        func deprecated(_ from: String, _ sunset: String) throws -> EventDeprecation? {
            let mark = #""x-deprecated": {"from": "\#(from)", "sunset": "\#(sunset)", "migration": "read v2"},"#
            return try Self.schema("", more: mark).deprecation
        }
        let day = try #require(Timestamp("2026-06-01T00:00:00Z"))
        #expect(try deprecated("2026-06-01", "2026-12-31T12:00:00Z")?.from == day)
        let early = #expect(throws: SchemaMistake.self) { try deprecated("2026-06-01", "2026-05-31") }
        #expect(early?.pointer == "/x-deprecated/sunset")
        #expect(try Self.schema("", path: "parcels2/parcel-2.sent.v10.json").version == 10)
        for path in ["parcels/2parcel.sent.v1.json", "-parcels/parcel.sent.v1.json", "parcels/parcel.sent.v01.json"] {
            #expect(throws: SchemaMistake.self, "\(path)") { try Self.schema("", path: path) }
        }
    }
}

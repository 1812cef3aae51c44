import Foundation
import Kernel
import Tenancy
import TestSupport
import Testing

@Suite("The manifest of tenant data")
struct ManifestTests {
    private static let whole = """
        version: 1
        stores:
          - name: users
            kind: table
            context: identity
            isolation: {pool: row-security, bridge: schema, silo: database}
            classification: personal
            personal: [email, name]
            residency: region
            retention: tenant
            deletion: {way: place, how: Goes with the schemas.}
            owner: identity
            runbook: docs/runbooks/tenant-data.md#topics
        """

    @Test("reads a store with everything that is known of it")
    func store() throws {
        let store = try #require(try TenantDataManifest(Self.whole).stores.first)
        #expect(store.fullName == "identity.users" && store.kind == .table && store.line == 3)
        #expect(store.isolation == [.pool: .rowSecurity, .bridge: .schema, .silo: .database])
        #expect(store.classification == .personal && store.personal == ["email", "name"])
        #expect(store.residency == .region && store.retention == .tenant && store.deletion.way == .place)
        #expect(store.owner == "identity" && store.runbook.hasSuffix("#topics"))
    }

    @Test("makes one store of an entry for each context in its list")
    func contexts() throws {
        let manifest = try TenantDataManifest(
            Self.whole.replacing("context: identity", with: "context: [orders, billing]"))
        #expect(manifest.stores.map(\.fullName) == ["orders.users", "billing.users"])
    }

    @Test(
        "refuses what it does not know or misses, and names the line",
        arguments: [
            ("    owner: identity\n", "", 3, "a store lacks owner"),
            ("owner:", "owners:", 12, "a store has no field “owners”"),
            ("kind: table", "kind: view", 4, "kind is “view”; it takes cache, folder, table or topic"),
            ("context: identity", "context: Identity", 5, "context is “Identity”, which is no name of a schema"),
            ("context: identity", "context: []", 5, "context is no list of texts"),
            ("silo: database", "silo: schema", 6, "in tier silo is closed, database or row-security, not schema"),
            ("silo: database", "silos: database", 6, "isolation lacks silo"),
            ("{pool: row-security, bridge: schema, silo: database}", "row-security", 6, "isolation is no mapping"),
            ("bridge: schema", "bridge: closed", 6, "isolation is closed in every tier or in none"),
            ("classification: personal", "classification: public", 7, "classification is “public”"),
            ("classification: personal", "classification: internal", 8, "personal names something"),
            ("    personal: [email, name]\n", "", 7, "personal names nothing"),
            ("[email, name]", "[email, email]", 8, "personal has “email” twice"),
            ("[email, name]", "email", 8, "personal is no list of texts"),
            (
                "residency: region", "residency: broker", 9,
                "residency of a table is control-plane or region, not broker"
            ),
            ("residency: region", "residency: control-plane", 6, "is the same for tenants of every tier"),
            ("retention: tenant", "retention: 10 years", 10, "retention is “10 years”"),
            ("way: place", "way: magic", 11, "way is “magic”"),
            (", how: Goes with the schemas.", "", 11, "deletion lacks how"),
            ("tenant-data.md#topics", "tenant-data.md", 13, "it takes a file and its section"),
            ("version: 1", "version: 2", 1, "version is not 1"),
            ("stores:", "stories:", 1, "the manifest lacks stores"),
            ("    kind: table\n", "    kind: table\n    kind: table\n", 4, "kind is there twice"),
            ("owner: identity", "owner: {", 14, "this is not YAML"),
        ])
    func mistake(_ part: String, _ other: String, _ line: Int, _ text: String) throws {
        #expect(Self.whole.contains(part))
        let changed = Self.whole.replacing(part, with: other)
        let mistakes = try #require(throws: ManifestMistakes.self) { try TenantDataManifest(changed) }
        #expect(mistakes.mistakes.contains { $0.line == line && $0.text.contains(text) }, "\(mistakes)")
    }

    @Test("refuses a store that stands there twice, and says where the first is")
    func duplicate() throws {
        let entry = Self.whole.split(separator: "\n").dropFirst(2).joined(separator: "\n")
        let mistakes = try #require(throws: ManifestMistakes.self) { try TenantDataManifest("\(Self.whole)\n\(entry)") }
        #expect(
            mistakes.description
                == "schemas/tenant-data-manifest.yaml:14: table identity.users stands in line 3 already")
    }

    @Test("tells every mistake at once, in the order of lines")
    func everyMistake() throws {
        let text = Self.whole.replacing("kind: table", with: "kind: view").replacing("way: place", with: "way: magic")
        let mistakes = try #require(throws: ManifestMistakes.self) { try TenantDataManifest(text) }
        #expect(mistakes.description.split(separator: "\n").map { $0.prefix(38) }.count == 2)
        #expect(mistakes.description.split(separator: "\n").first?.contains("yaml:4:") == true)
    }

    // MARK: The one that Atrium has

    static func ours() throws -> TenantDataManifest {
        try TenantDataManifest(contentsOf: Places.packageRoot.appending(path: "schemas/\(TenantDataManifest.fileName)"))
    }

    @Test("names runbooks that are there, with the section that it points to")
    func runbooks() throws {
        for runbook in Set(try Self.ours().stores.map(\.runbook)) {
            let parts = runbook.split(separator: "#").map(String.init)
            let text = try String(contentsOf: Places.packageRoot.appending(path: parts[0]), encoding: .utf8)
            let sections = text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { heading in
                heading.drop { $0 == "#" || $0 == " " }.lowercased().replacing(" ", with: "-")
                    .filter { $0.isLetter || $0.isNumber || $0 == "-" }
            }
            #expect(sections.contains(parts[1]), "\(runbook): \(sections)")
        }
    }

    @Test("names topics whose events are published, and properties that they have")
    func topics() throws {
        for store in try Self.ours().stores where store.kind == .topic {
            let folder = Places.packageRoot.appending(path: "schemas/events/\(store.context)")
            let schemas = try FileManager.default.contentsOfDirectory(atPath: folder.path)
                .filter { $0.hasPrefix("\(store.name).") }
                .map { try String(contentsOf: folder.appending(path: $0), encoding: .utf8) }
            #expect(!schemas.isEmpty, "\(store.fullName)")
            for property in store.personal {
                #expect(schemas.contains { $0.contains("\"\(property)\": {") }, "\(store.fullName) \(property)")
            }
        }
    }

    @Test("names caches that the program has")
    func caches() throws {
        let sources = try ["Sources", "Modules"].flatMap { folder in
            let root = Places.packageRoot.appending(path: folder)
            return try FileManager.default.subpathsOfDirectory(atPath: root.path)
                .filter { $0.hasSuffix(".swift") }
                .map { try String(contentsOf: root.appending(path: $0), encoding: .utf8) }
        }
        for store in try Self.ours().stores where store.kind == .cache {
            #expect(sources.contains { $0.contains("final class \(store.name)") }, "\(store.name)")
        }
    }
}

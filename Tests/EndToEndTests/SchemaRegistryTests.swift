import DevStack
import Foundation
import TestSupport
import Testing

@Suite("Registering schemas", .showsPrograms)
struct SchemaRegistryTests {
    private static let folder = Places.packageRoot.appending(path: "schemas").path()
    private static let subject = "orders.order-orders.order.placed.v1"

    private static func register(
        _ url: String, _ arguments: String..., environment: [String: String] = [:]
    ) async throws -> AtriumRun {
        try await AtriumRun.run(
            ["schemas", "register", "--registry", url, "--folder", folder] + arguments, environment: environment)
    }

    private static func files() throws -> Int {
        let root = Places.packageRoot.appending(path: "schemas/events").path()
        return (FileManager.default.enumerator(atPath: root)?.allObjects as? [String] ?? [])
            .count { $0.hasSuffix(".json") }
    }

    @Test("registers every version under a subject of its own, once")
    func idempotent() async throws {
        try await TestRegistry.with { registry in
            let files = try Self.files()
            let dry = try await Self.register(registry.url, "--dry-run")
            #expect(dry.exit == .exited(0) && dry.has("\(Self.subject)\twould be registered"), "\(dry.lines)")
            #expect(registry.subjects.isEmpty)

            let first = try await Self.register(registry.url)
            #expect(first.exit == .exited(0) && first.lines.count == files, "\(first.lines)")
            #expect(first.has("\(Self.subject)\tregistered\tid 100"), "\(first.lines)")
            #expect(registry.subjects.count == files && registry.subjects[Self.subject]?.count == 1)
            let sent = try #require(registry.subjects[Self.subject]?.first)
            let kept = try Data(
                contentsOf: Places.packageRoot.appending(path: "schemas/events/orders/order.placed.v1.json"))
            #expect(try JSONValue(parsing: Data(sent.schema.utf8)) == JSONValue(parsing: kept))
            #expect(sent.schemaType == "JSON")

            let again = try await Self.register(registry.url)
            #expect(
                again.exit == .exited(0) && again.lines.allSatisfy { $0.contains("\tunchanged\tid 100\tversion 1") })
            #expect(registry.subjects.values.allSatisfy { $0.count == 1 })
        }
    }

    @Test("shows what the registry has against a schema, and goes on with the others")
    func refused() async throws {
        try await TestRegistry.with { registry in
            _ = try await Self.register(registry.url)
            registry.forgetEverything(about: Self.subject)
            registry.refuse(with: "Schema being registered is incompatible with an earlier schema")
            let refused = try await Self.register(registry.url)
            #expect(refused.exit == .exited(1), "\(refused.lines)")
            #expect(refused.has("\(Self.subject)\trefused\t") && refused.has("409"), "\(refused.lines)")
            #expect(refused.has("is incompatible with an earlier schema"), "\(refused.lines)")
            #expect(refused.lines.count { $0.contains("\tunchanged\t") } == (try Self.files()) - 1)
        }
    }

    @Test("takes credentials from the environment alone, and names a registry that is not there")
    func credentials() async throws {
        try await TestRegistry.with { registry in
            let secret = ["ATRIUM_REGISTRY_USER": "ada", "ATRIUM_REGISTRY_PASSWORD": "hush"]
            #expect(try await Self.register(registry.url, environment: secret).exit == .exited(0))
            #expect(registry.authorizations == ["Basic " + Data("ada:hush".utf8).base64EncodedString()])
            let inURL = try await Self.register(registry.url.replacing("http://", with: "http://ada:hush@"))
            #expect(
                inURL.exit != .exited(0) && inURL.has("ATRIUM_REGISTRY_USER") && !inURL.has("hush"), "\(inURL.lines)")
        }
        let nobody = try await Self.register("http://127.0.0.1:\(try FreePort.find())")
        #expect(nobody.exit != .exited(0) && nobody.has("can't be reached"), "\(nobody.lines)")
    }
}

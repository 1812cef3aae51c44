import BillingContracts
import Foundation
import IdentityContracts
import Kernel
import MeteringContracts
import OrdersContracts
import TestSupport
import Testing

@Suite("Every integration event")
struct PublishedEventTests {
    private static let all =
        IdentityLanguage.events + OrdersLanguage.events + BillingLanguage.events + MeteringLanguage.events

    private static func examples(of type: any IntegrationEvent.Type) throws -> [Data] {
        let parts = type.type.split(separator: ".", maxSplits: 1)
        let file = Places.packageRoot.appending(path: "schemas/events/\(parts[0])/\(parts[1]).json")
        let schema = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
        return try (schema?["examples"] as? [Any] ?? []).map { try JSONSerialization.data(withJSONObject: $0) }
    }

    @Test("has a schema whose examples its type reads and writes back unchanged")
    func roundTrip() throws {
        for type in Self.all {
            let examples = try Self.examples(of: type)
            #expect(!examples.isEmpty, "\(type.type) has no example")
            for example in examples { try Self.roundTrip(type, example) }
        }
    }

    private static func roundTrip<Event: IntegrationEvent>(_ type: Event.Type, _ example: Data) throws {
        let event = try JSONDecoder().decode(Event.self, from: example)
        let again = try JSONEncoder().encode(event)
        #expect(try JSONValue(parsing: again) == JSONValue(parsing: example), "\(type.type)")
    }

    @Test("with a property that is not known yet is read all the same")
    func tolerance() throws {
        for type in Self.all {
            for example in try Self.examples(of: type) {
                var object = try JSONSerialization.jsonObject(with: example) as? [String: Any] ?? [:]
                object["addedLater"] = ["anything": true]
                _ = try JSONDecoder().decode(type, from: JSONSerialization.data(withJSONObject: object))
            }
        }
    }

    @Test("is listed here, so that none escapes these tests")
    func complete() throws {
        let pattern = /static let type = "([a-z0-9.\-]+)"/
        let declared = try SourceTree.project().files.filter { $0.key.contains("/Contracts/") }
            .flatMap { $0.value.matches(of: pattern).map { String($0.output.1) } }
        #expect(Set(declared) == Set(Self.all.map { $0.type }))
    }

    @Test("has a type that says its context, aggregate, fact and version, and a topic for its aggregate")
    func names() {
        for type in Self.all {
            #expect(type.type.wholeMatch(of: /[a-z]+\.[a-z-]+\.[a-z-]+\.v[1-9][0-9]*/) != nil, "\(type.type)")
            #expect(type.topic == type.type.split(separator: ".").prefix(2).joined(separator: "."))
        }
    }
}

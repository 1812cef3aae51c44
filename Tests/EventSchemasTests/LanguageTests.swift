import EventSchemas
import Foundation
import Kernel
import TestSupport
import Testing

@Suite("The published language")
struct LanguageTests {
    private static let v1 = "orders/order.placed.v1.json"
    private static let v2 = "orders/order.placed.v2.json"
    private static let v3 = "orders/order.placed.v3.json"

    private static func language(_ files: [String: JSON], _ state: String) throws -> PublishedLanguage {
        PublishedLanguage(
            try files.reduce(into: [:]) { schemas, file in
                schemas[file.key] = try SchemaDocument(name: "\(state):\(file.key)", root: file.value)
            })
    }

    private static func check(
        _ old: [String: JSON], _ new: [String: JSON], history: [JSON] = [], mode: CompatibilityMode? = nil,
        policy: CompatibilityPolicy? = nil, settings: CompatibilitySettings = CompatibilitySettings(),
        on day: String = "2027-01-01T00:00:00Z"
    ) throws -> [FileFinding] {
        let states = try history.enumerated().map { try SchemaDocument(name: "state \($0.offset)", root: $0.element) }
        let now = try #require(Timestamp(day))
        return LanguageCheck(
            old: try language(old, "old"), new: try language(new, "new"), history: [v1: states], settings: settings,
            mode: mode, policy: policy, now: now
        ).findings()
    }

    private static func breaking(_ findings: [FileFinding]) -> [Rule] {
        findings.filter(\.verdict.breaks).map(\.finding.rule)
    }

    private static func object(_ properties: JSON, _ more: [String: JSON] = [:]) -> JSON {
        var object = JSONObject([.init(name: "type", value: "object"), .init(name: "properties", value: properties)])
        for (name, value) in more { object[name] = value }
        return .object(object)
    }

    private static let string: JSON = ["type": "string"]
    private static let integer: JSON = ["type": "integer"]

    @Test("takes an optional property and refuses a required one to fall away")
    func evolution() throws {
        let old = Self.object(["a": Self.string], ["required": ["a"]])
        let more = Self.object(["a": Self.string, "b": Self.integer], ["required": ["a"]])
        #expect(Self.breaking(try Self.check([Self.v1: old], [Self.v1: more])).isEmpty)
        let less = Self.object(["a": Self.string])
        #expect(Self.breaking(try Self.check([Self.v1: old], [Self.v1: less])) == [.required])
        #expect(try Self.check([Self.v1: old], [Self.v1: old]).isEmpty)
    }

    @Test("takes what breaks as a new version, in a file of its own, numbered next")
    func newVersion() throws {
        let old = Self.object(["a": Self.string], ["required": ["a"]])
        let broken = Self.object(["b": Self.integer], ["required": ["b"]])
        #expect(Self.breaking(try Self.check([Self.v1: old], [Self.v1: old, Self.v2: broken])).isEmpty)
        #expect(Self.breaking(try Self.check([Self.v1: old], [Self.v1: old, Self.v3: broken])) == [.versionSkipped])
        #expect(Self.breaking(try Self.check([:], [Self.v2: broken])) == [.versionSkipped])
        #expect(Self.breaking(try Self.check([:], [Self.v1: old, Self.v2: broken])).isEmpty)
        #expect(
            Self.breaking(try Self.check([Self.v2: old, Self.v3: old], [Self.v1: old, Self.v2: old, Self.v3: old]))
                == [.versionSkipped])
    }

    @Test("lets a version go only once its sunset has passed")
    func deletion() throws {
        let plain = Self.object(["a": Self.string])
        let deprecated = Self.object(
            ["a": Self.string],
            ["x-deprecated": ["from": "2026-06-01", "sunset": "2026-12-31T12:00:00Z", "migration": "read v2"]])
        #expect(Self.breaking(try Self.check([Self.v1: plain], [:])) == [.versionDeleted])
        #expect(
            Self.breaking(try Self.check([Self.v1: deprecated], [:], on: "2026-12-31T11:59:59Z")) == [.versionDeleted])
        let gone = try Self.check([Self.v1: deprecated], [:], on: "2026-12-31T12:00:00Z")
        #expect(Self.breaking(gone).isEmpty && gone.map(\.finding.rule) == [.versionDeleted])
    }

    @Test(
        "refuses a deprecation that doesn't say what it has to",
        arguments: [
            ["from": "2026-06-01", "migration": "read v2"], ["from": "2026-06-01", "sunset": "soon", "migration": "x"],
            ["from": "2026-06-01", "sunset": "2026-05-01", "migration": "x"],
            ["from": "2026-06-01", "sunset": "2026-12-31", "migration": ""], "v2",
        ] as [JSON])
    func malformedDeprecation(_ deprecation: JSON) throws {
        let plain = Self.object(["a": Self.string])
        let deprecated = Self.object(["a": Self.string], ["x-deprecated": deprecation])
        #expect(Self.breaking(try Self.check([Self.v1: plain], [Self.v1: deprecated])) == [.deprecation])
    }

    @Test("knows on any day which of the published versions are past their sunset")
    func overdue() throws {
        func until(_ day: String) -> JSON {
            Self.object([:], ["x-deprecated": ["from": "2026-06-01", "sunset": .string(day), "migration": "read v3"]])
        }
        let language = try Self.language(
            [
                Self.v1: until("2027-01-01T12:00:00Z"), Self.v2: until("2026-12-31"), Self.v3: Self.object([:]),
                "orders/order.lost.v1.json": Self.object([:], ["x-deprecated": "soon"]),
            ], "now")
        let published: Set = ["orders.order.placed.v1", "orders.order.placed.v2", "orders.order.placed.v3"]
        func overdue(_ day: String, of types: Set<String> = published) throws -> [String] {
            language.overdue(of: types, on: try #require(Timestamp(day))).map(\.path)
        }
        #expect(try overdue("2026-12-30T23:59:59Z") == [])
        #expect(try overdue("2026-12-31T00:00:00Z") == [Self.v2])
        #expect(try overdue("2027-01-01T12:00:00Z") == [Self.v2, Self.v1])
        // What is published no more stays readable, and so does its schema.
        #expect(try overdue("2027-01-01T12:00:00Z", of: ["orders.order.placed.v3", "orders.order.lost.v1"]) == [])
    }

    @Test("keeps the sunset it promised, or moves it later")
    func promisedSunset() throws {
        func until(_ day: JSON) -> JSON {
            Self.object(
                ["a": Self.string], ["x-deprecated": ["from": "2026-06-01", "sunset": day, "migration": "read v2"]])
        }
        let promised = [Self.v1: until("2027-06-01")]
        #expect(Self.breaking(try Self.check(promised, [Self.v1: until("2027-05-31")])) == [.deprecation])
        #expect(Self.breaking(try Self.check(promised, [Self.v1: until("2027-06-02")])).isEmpty)
    }

    @Test("wants the name of a property that goes on the list of removed ones, and keeps it there")
    func unreserved() throws {
        let old = Self.object(["a": Self.string, "b": Self.string])
        let bare = Self.object(["a": Self.string])
        let listed = Self.object(["a": Self.string], ["x-removed": ["b"]])
        #expect(Self.breaking(try Self.check([Self.v1: old], [Self.v1: bare])) == [.nameUnreserved])
        #expect(Self.breaking(try Self.check([Self.v1: old], [Self.v1: listed])).isEmpty)
        #expect(Self.breaking(try Self.check([Self.v1: listed], [Self.v1: bare])) == [.nameUnreserved])
    }

    @Test("refuses a removed name that comes back with another meaning, and takes it back with the same")
    func reserved() throws {
        let before = Self.object(["a": Self.string], ["x-removed": ["b"]])
        let state = Self.object(["a": Self.string, "b": Self.integer])
        func back(_ schema: JSON, _ more: [String: JSON] = [:]) -> [String: JSON] {
            [Self.v1: Self.object(["a": Self.string, "b": schema], more)]
        }
        let other = try Self.check([Self.v1: before], back(Self.string), history: [state], mode: .full)
        #expect(Self.breaking(other) == [.nameReserved])
        #expect(Self.breaking(try Self.check([Self.v1: before], back(Self.integer), history: [state])).isEmpty)
        // Without a state that had it, nobody knows what it meant.
        #expect(Self.breaking(try Self.check([Self.v1: before], back(Self.integer))) == [.nameReserved])
        let contradiction = back(Self.integer, ["x-removed": ["b"]])
        #expect(Self.breaking(try Self.check([Self.v1: before], contradiction, history: [state])) == [.nameReserved])
    }

    @Test("refuses a name of an older version that comes back with another meaning in a newer one")
    func reservedAcrossVersions() throws {
        let first = Self.object(["a": Self.string, "total": Self.integer])
        let second = Self.object(["a": Self.string])
        let published = [Self.v1: first, Self.v2: second]
        func third(_ total: JSON) -> [String: JSON] {
            [Self.v1: first, Self.v2: second, Self.v3: Self.object(["a": Self.string, "total": total])]
        }
        #expect(Self.breaking(try Self.check(published, third(Self.string))) == [.nameReserved])
        #expect(Self.breaking(try Self.check(published, third(Self.integer))).isEmpty)
        // A property may change its meaning from one version to the next as long as it doesn't go away in between.
        let changed = [Self.v1: first, Self.v2: Self.object(["a": Self.string, "total": Self.string])]
        #expect(Self.breaking(try Self.check([Self.v1: first], changed)).isEmpty)
        // Where it stands deeper, the place counts too.
        func nested(_ properties: JSON) -> JSON {
            Self.object(["lines": ["type": "array", "items": Self.object(properties)]])
        }
        let deep = [
            Self.v1: nested(["sku": Self.string, "tax": Self.integer]), Self.v2: nested(["sku": Self.string]),
        ]
        let deeper = deep.merging([Self.v3: nested(["sku": Self.string, "tax": Self.string])]) { one, _ in one }
        let findings = try Self.check(deep, deeper).filter(\.verdict.breaks)
        #expect(findings.map(\.finding.pointer) == ["/properties/lines/items/properties/tax"])
    }

    @Test("is held to every earlier state where the mode is transitive, and to the last one otherwise")
    func transitive() throws {
        let first = Self.object(["a": ["type": "string", "maxLength": 9]])
        let last = Self.object(["a": Self.string])
        let new = Self.object(["a": ["type": "string", "title": "again"]])
        let transitive = try Self.check(
            [Self.v1: last], [Self.v1: new], history: [first], mode: .forwardTransitive)
        #expect(
            Self.breaking(transitive) == [.maxLength] && transitive.first { $0.verdict.breaks }?.against == "state 0")
        #expect(
            Self.breaking(try Self.check([Self.v1: last], [Self.v1: new], history: [first], mode: .forward)).isEmpty)
    }

    @Test("is held by the settings of each fact")
    func settings() throws {
        let settings = try CompatibilitySettings(
            name: "compatibility.json",
            [
                "mode": "FULL", "policy": "LENIENT", "because": "…",
                "facts": ["orders/order.placed": ["mode": "BACKWARD", "policy": "STRICT"]],
            ])
        let old = Self.object(["a": ["enum": ["x"]]])
        let new = Self.object(["a": ["enum": ["x", "y"]]])
        #expect(Self.breaking(try Self.check([Self.v1: old], [Self.v1: new], settings: settings)).isEmpty)
        let other = "orders/order.cancelled.v1.json"
        #expect(Self.breaking(try Self.check([other: old], [other: new], settings: settings)) == [.enum])
        let added = Self.object(["a": ["enum": ["x"]], "b": Self.string])
        #expect(Self.breaking(try Self.check([Self.v1: old], [Self.v1: added], settings: settings)) == [.propertyAdded])
        #expect(Self.breaking(try Self.check([other: old], [other: added], settings: settings)).isEmpty)
    }

    @Test(
        "refuses settings that it doesn't know",
        arguments: [
            ["mode": "SOME"], ["policy": "NONE"], ["modes": "FULL"], ["facts": ["order": ["mode": "FULL"]]],
            ["facts": ["orders/order.placed": ["mode": "full"]]], [], ["facts": []],
        ] as [JSON])
    func unknownSettings(_ json: JSON) {
        if json == [:] { return }
        #expect(throws: SchemaUnreadable.self) { try CompatibilitySettings(name: "compatibility.json", json) }
    }

    @Test(
        "has files of one form of name alone",
        arguments: [
            "orders/order.placed.json", "order.placed.v1.json", "orders/x/order.placed.v1.json",
            "orders/order.placed.v0.json", "orders/order.placed.v01.json", "Orders/order.placed.v1.json",
            "orders/placed.v1.json",
        ])
    func placement(_ path: String) throws {
        #expect(Self.breaking(try Self.check([:], [path: Self.object([:])])) == [.placement])
    }

    @Test("says where a text stops being a schema")
    func unreadable() {
        #expect(throws: SchemaUnreadable(name: "a.json", reason: "line 1, column 2: a character that can't stand here"))
        {
            try SchemaDocument(name: "a.json", text: Array("{x}".utf8))
        }
        #expect(throws: SchemaUnreadable.self) { try SchemaDocument(name: "a.json", root: [1]) }
    }

    @Test("has a page of rules that is current")
    func page() throws {
        let path = Places.packageRoot.appending(path: "docs/schema-rules.md")
        let kept = try String(contentsOf: path, encoding: .utf8)
        #expect(kept == RuleText.page, "docs/schema-rules.md is not what `atrium schemas rules --page` prints")
        #expect(Set(RuleText.all.map(\.rule)) == Set(Rule.allCases))
        #expect(RuleText.all.count == Rule.allCases.count)
    }
}

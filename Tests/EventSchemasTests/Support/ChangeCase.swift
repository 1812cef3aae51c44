import EventSchemas
import Foundation
import Kernel
import TestSupport

/// A change to a schema and what it does, as written down in Cases/*.json.
struct ChangeCase: Sendable, CustomStringConvertible {
    struct Verdicts: Hashable, Sendable {
        let backward: Verdict
        let forward: Verdict
    }

    let file: String
    let name: String
    let rule: Rule
    let old: SchemaDocument
    let new: SchemaDocument
    let strict: Verdicts
    let lenient: Verdicts

    var description: String { "\(file): \(name)" }

    func expected(under policy: CompatibilityPolicy) -> Verdicts { policy == .strict ? strict : lenient }

    /// What the comparison says, for the pair as it is or for another in its place.
    func judged(under policy: CompatibilityPolicy) -> SchemaComparison {
        SchemaComparison(old: old, new: new, policy: policy)
    }

    static let all: [ChangeCase] = {
        let folder = Places.packageRoot.appending(path: "Tests/EventSchemasTests/Cases")
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted()
                .filter { $0.hasSuffix(".json") }
                .flatMap { file in
                    let list = try JSON.parse(try Data(contentsOf: folder.appending(path: file)))
                    return try (list.elements ?? []).map { try ChangeCase(file, $0) }
                }
        } catch {
            preconditionFailure("the cases can't be read: \(error)")
        }
    }()

    private init(_ file: String, _ json: JSON) throws {
        self.file = file
        name = json["name"]?.string ?? "?"
        guard let rule = json["rule"]?.string.flatMap(Rule.init), let old = json["old"], let new = json["new"],
            let strict = Self.verdicts(json["strict"])
        else { throw Unreadable(file: file, name: name) }
        self.rule = rule
        self.old = try SchemaDocument(name: "old", root: old)
        self.new = try SchemaDocument(name: "new", root: new)
        self.strict = strict
        guard let lenient = Self.verdicts(json["lenient"] ?? json["strict"]) else {
            throw Unreadable(file: file, name: name)
        }
        self.lenient = lenient
    }

    private static func verdicts(_ json: JSON?) -> Verdicts? {
        guard let backward = json?["backward"]?.string.flatMap(Verdict.init),
            let forward = json?["forward"]?.string.flatMap(Verdict.init)
        else { return nil }
        return Verdicts(backward: backward, forward: forward)
    }

    struct Unreadable: Error {
        let file: String
        let name: String
    }
}

extension SchemaComparison {
    var verdicts: ChangeCase.Verdicts {
        ChangeCase.Verdicts(backward: verdict(in: .backward), forward: verdict(in: .forward))
    }
}

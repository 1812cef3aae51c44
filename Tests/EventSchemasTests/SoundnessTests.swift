import DevStack
import EventSchemas
import Foundation
import Kernel
import TestSupport
import Testing

@Suite("The checker's verdicts")
struct SoundnessTests {
    private static let script = Places.packageRoot.appending(path: "Tests/EventSchemasTests/Python/soundness.py").path()

    private struct Pair {
        let label: String
        let old: JSON
        let new: JSON
    }

    /// One claim a line: what may be written, what it is read with, and what the checker says of it.
    private static func claims(_ pairs: [Pair]) throws -> [JSON] {
        try pairs.flatMap { pair in
            let old = try SchemaDocument(name: "old", root: pair.old)
            let new = try SchemaDocument(name: "new", root: pair.new)
            return CompatibilityPolicy.allCases.flatMap { policy in
                let comparison = SchemaComparison(old: old, new: new, policy: policy)
                return [
                    (comparison.verdict(in: .backward), pair.old, pair.new),
                    (comparison.verdict(in: .forward), pair.new, pair.old),
                ].filter { $0.0 != .undecided }.map { verdict, writer, reader -> JSON in
                    [
                        "label": .string(pair.label), "policy": .string(policy.rawValue),
                        "verdict": .string(verdict.rawValue), "writer": writer, "reader": reader,
                    ]
                }
            }
        }
    }

    private static func check(_ claims: [JSON], seed: Int, tries: Int) async throws -> ProgramOutput {
        try await Python.run(
            script: script, ["check", String(seed), String(tries)],
            input: claims.map(\.description).joined(separator: "\n"))
    }

    private static func count(_ output: ProgramOutput, _ name: String) throws -> Int64 {
        try JSON.parse(output.output)[name]?.int64 ?? 0
    }

    @Test("of compatible hold for documents that an independent validator judges", arguments: [1, 2, 3])
    func random(_ seed: Int) async throws {
        let made = try await Python.run(script: Self.script, ["pairs", String(seed), "400"])
        #expect(made.status.isSuccess, "\(made.errors)")
        let pairs = try made.output.split(separator: "\n").enumerated().map { index, line in
            let json = try JSON.parse(String(line))
            return Pair(label: "\(seed)/\(index)", old: json["old"] ?? .null, new: json["new"] ?? .null)
        }
        let claims = try Self.claims(pairs)
        let output = try await Self.check(claims, seed: seed, tries: 40)
        #expect(output.status.isSuccess, "\(output.errors.prefix(6000))")
        // Enough of each, so that a checker which calls everything breaking, or undecided, is found out too.
        #expect(try Self.count(output, "compatible") > 300, "\(output.output)")
        #expect(try Self.count(output, "documents") > 15_000, "\(output.output)")
        let (witnessed, breaking) = (try Self.count(output, "witnessed"), try Self.count(output, "breaking"))
        #expect(witnessed * 2 > breaking, "\(output.output)")
        #expect(claims.count > 1000)
    }

    @Test("on the written cases hold, and most that break are shown to by a document")
    func written() async throws {
        let pairs = ChangeCase.all.map { Pair(label: $0.name, old: $0.old.root, new: $0.new.root) }
        let output = try await Self.check(try Self.claims(pairs), seed: 7, tries: 150)
        #expect(output.status.isSuccess, "\(output.errors.prefix(6000))")
        let (witnessed, breaking) = (try Self.count(output, "witnessed"), try Self.count(output, "breaking"))
        #expect(witnessed * 10 > breaking * 7, "\(output.output)")
    }

    @Test("would be found out where they are wrong")
    func vacuity() async throws {
        let wrong: [JSON] = [
            [
                "label": "required", "policy": "STRICT", "verdict": "compatible", "writer": ["type": "object"],
                "reader": ["type": "object", "required": ["a"]],
            ],
            [
                "label": "tolerant", "policy": "LENIENT", "verdict": "compatible",
                "writer": ["type": "object", "properties": ["a": ["type": "integer"]]],
                "reader": ["type": "object", "properties": ["a": ["type": "string"]]],
            ],
        ]
        let output = try await Self.check(wrong, seed: 1, tries: 100)
        #expect(!output.status.isSuccess)
        #expect(try Self.count(output, "wrong") == 2, "\(output.output)")
    }
}

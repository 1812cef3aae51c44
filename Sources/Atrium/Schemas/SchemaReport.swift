import EventSchemas
import Kernel

/// What a check of schemas has found, for a person or a program.
struct SchemaReport {
    private(set) var findings: [FileFinding] = []
    var notes: [String] = []
    /// What somebody has to see to, though it breaks no reader.
    var warnings: [String] = []
    var against: [String] = []
    var summary = ""

    init(findings: [FileFinding] = [], notes: [String] = [], summary: String = "") {
        self.findings = findings
        self.notes = notes
        self.summary = summary
    }

    /// What two commits both show is told once.
    mutating func add(_ more: [FileFinding]) {
        findings += more.filter { finding in
            !findings.contains { $0.path == finding.path && $0.finding == finding.finding }
        }
    }

    /// Warns of versions that are published though their sunset has passed.
    mutating func review(_ language: PublishedLanguage, publishing types: Set<String>, on day: Timestamp) {
        warnings += language.overdue(of: types, on: day).map { path, deprecation in
            "\(path) is published still, though it was to end at \(deprecation.sunset): publish it no more, or promise "
                + "a later sunset"
        }
    }

    var breaking: Int { findings.count { $0.verdict.breaks } }
    var breaks: Bool { breaking > 0 }

    func print(asJSON: Bool) {
        if asJSON { return Swift.print(json) }
        for finding in findings {
            TenantsTools.printRow([
                finding.path, finding.finding.pointer.isEmpty ? "/" : finding.finding.pointer,
                finding.finding.rule.rawValue, finding.verdict.rawValue, finding.finding.reason,
            ])
        }
        for note in notes { Swift.print("note: \(note)") }
        for warning in warnings { Swift.print("warning: \(warning)") }
        let compatible = findings.count - breaking
        Swift.print(
            "\(summary): \(breaking) breaking, \(compatible) compatible \(compatible == 1 ? "change" : "changes")")
    }

    private var json: JSON {
        [
            "breaking": .integer(breaking), "compatible": .integer(findings.count - breaking),
            "against": .array(against.map { .string($0) }), "notes": .array(notes.map { .string($0) }),
            "warnings": .array(warnings.map { .string($0) }),
            "findings": .array(
                findings.map { finding in
                    [
                        "file": .string(finding.path), "against": finding.against.map { .string($0) } ?? .null,
                        "pointer": .string(finding.finding.pointer), "rule": .string(finding.finding.rule.rawValue),
                        "verdict": .string(finding.verdict.rawValue),
                        "backward": .string(finding.finding.backward.rawValue),
                        "forward": .string(finding.finding.forward.rawValue),
                        "mode": .string(finding.level.mode.rawValue), "policy": .string(finding.level.policy.rawValue),
                        "reason": .string(finding.finding.reason),
                    ]
                }),
        ]
    }
}

import Foundation

/// Findings as text, JSON and SARIF 2.1.0.
package struct FindingReport {
    private let findings: [Finding]

    package init(_ findings: [Finding]) {
        self.findings = findings
    }

    package var open: [Finding] { findings.filter { $0.ignoredFor == nil } }

    /// A line for each, as compilers write them, and a last one that counts.
    package var text: String {
        let lines = open.map { "\($0.path):\($0.line): \($0.level.rawValue): \($0.message) [\($0.rule.rawValue)]" }
        func count(_ level: Level, _ word: String) -> String {
            let number = open.count { $0.level == level }
            return "\(number) \(word)\(number == 1 ? "" : "s")"
        }
        let ignored = findings.count - open.count
        let sum = [count(.error, "error"), count(.warning, "warning"), count(.note, "note")].joined(separator: ", ")
        return (lines + [ignored == 0 ? sum : "\(sum), \(ignored) ignored"]).joined(separator: "\n")
    }

    package func json() throws -> String { try JSONText.of(findings) }

    package func sarif() throws -> String {
        let rules = Rule.allCases
        let log = SARIF(runs: [
            SARIF.Run(
                tool: SARIF.Tool(
                    driver: SARIF.Driver(
                        name: "adr",
                        rules: rules.map {
                            SARIF.RuleText(
                                id: $0.rawValue, shortDescription: SARIF.Text(text: $0.summary),
                                defaultConfiguration: SARIF.Configuration(level: $0.level))
                        })),
                results: findings.map { finding in
                    SARIF.Result(
                        ruleId: finding.rule.rawValue, ruleIndex: rules.firstIndex(of: finding.rule) ?? 0,
                        level: finding.level, message: SARIF.Text(text: finding.message),
                        locations: [
                            SARIF.Location(
                                physicalLocation: SARIF.Place(
                                    artifactLocation: SARIF.Artifact(uri: MarkdownLink.escaped(finding.path)),
                                    region: SARIF.Region(startLine: finding.line)))
                        ],
                        suppressions: finding.ignoredFor.map { [SARIF.Suppression(justification: $0)] } ?? [])
                })
        ])
        return try JSONText.of(log)
    }
}

/// What of the Static Analysis Results Interchange Format is used here.
private struct SARIF: Encodable {
    var version = "2.1.0"
    var schema = "https://json.schemastore.org/sarif-2.1.0.json"
    let runs: [Run]

    enum CodingKeys: String, CodingKey {
        case version
        case schema = "$schema"
        case runs
    }

    struct Run: Encodable {
        let tool: Tool
        let results: [Result]
    }
    struct Tool: Encodable { let driver: Driver }
    struct Driver: Encodable {
        let name: String
        let rules: [RuleText]
    }
    struct RuleText: Encodable {
        let id: String
        let shortDescription: Text
        let defaultConfiguration: Configuration
    }
    struct Configuration: Encodable { let level: Level }
    struct Text: Encodable { let text: String }
    struct Result: Encodable {
        let ruleId: String
        let ruleIndex: Int
        let level: Level
        let message: Text
        let locations: [Location]
        let suppressions: [Suppression]
    }
    struct Suppression: Encodable {
        var kind = "external"
        let justification: String
    }
    struct Location: Encodable { let physicalLocation: Place }
    struct Place: Encodable {
        let artifactLocation: Artifact
        let region: Region
    }
    struct Artifact: Encodable { let uri: String }
    struct Region: Encodable { let startLine: Int }
}

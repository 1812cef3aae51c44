/// Refuses what would hold up or break others when it meets a large table that is in use.
package struct MigrationLint: Sendable {
    private let files: MigrationFiles

    package init(_ files: MigrationFiles) {
        self.files = files
    }

    /// The findings in every file, or in those of these paths (`orders/0002_….sql`), in their order.
    package func findings(in paths: Set<String>? = nil) -> [LintFinding] {
        var findings: [LintFinding] = []
        for scope in [MigrationFiles.platform, MigrationFiles.control] + files.contexts {
            var history = LintHistory()
            for file in files.files(of: scope) {
                let found = Self.findings(in: file.sql, named: file.path, scope: scope, &history)
                if paths?.contains(file.path) ?? true { findings += found }
            }
        }
        return findings
    }

    /// The findings in a text by itself.
    static func findings(in text: String, scope: String = "orders") -> [LintFinding] {
        var history = LintHistory()
        return findings(in: text, named: "text", scope: scope, &history)
    }

    private static func findings(
        in text: String, named name: String, scope: String, _ history: inout LintHistory
    ) -> [LintFinding] {
        let script = SQLScript(text)
        history.beginFile()
        var permits = LintPermits(script)
        var findings: [LintFinding] = []
        if let flaw = script.flaw {
            findings.append(LintFinding(file: "", line: flaw.line, rule: .unreadable, subject: flaw.what))
        }
        for statement in script.statements {
            let lint = StatementLint(
                statement, scope: scope, isAccompanied: script.statements.count > 1, history: history)
            history = lint.history
            findings += lint.findings.filter { !permits.allows($0.rule, at: statement.line) }
        }
        findings += TenantTableLint(script).findings.filter { !permits.allows($0.rule, at: $0.line) }
        findings += permits.findings
        return findings.sorted { ($0.line, $0.rule.rawValue) < ($1.line, $1.rule.rawValue) }.map {
            var finding = $0
            finding.file = name
            return finding
        }
    }
}

/// Comments that allow what a rule refuses: on the lines right above the statement.
struct LintPermits {
    private struct Permit {
        let rule: LintRule
        let line: Int
        var isUsed = false
    }

    private var permits: [Permit] = []
    private var refused: [LintFinding] = []
    /// Lines that hold nothing but a comment.
    private let comments: Set<Int>

    init(_ script: SQLScript) {
        comments = Set(script.comments.map(\.line))
        for comment in script.comments {
            let words = comment.text.split(separator: " ").map(String.init)
            guard words.first == "lint:" else { continue }
            let rule = words.count > 2 && words[1] == "allow" ? LintRule(rawValue: words[2]) : nil
            if let rule, rule.canBeAllowed, words.count > 4, words[3] == "because" {
                permits.append(Permit(rule: rule, line: comment.line))
            } else if let rule, rule.canBeAllowed {
                refuse(.allowWithoutReason, comment, rule.rawValue)
            } else {
                refuse(.allowUnknownRule, comment, words.dropFirst().prefix(2).joined(separator: " "))
            }
        }
    }

    private mutating func refuse(_ rule: LintRule, _ comment: SQLComment, _ subject: String) {
        refused.append(LintFinding(file: "", line: comment.line, rule: rule, subject: subject))
    }

    /// - Parameter line: where the statement begins.
    mutating func allows(_ rule: LintRule, at line: Int) -> Bool {
        var above = line - 1
        var isAllowed = false
        while comments.contains(above) {
            for index in permits.indices where permits[index].line == above && permits[index].rule == rule {
                permits[index].isUsed = true
                isAllowed = true
            }
            above -= 1
        }
        return isAllowed
    }

    /// What is wrong with the comments themselves, once every statement was asked for.
    var findings: [LintFinding] {
        refused
            + permits.filter { !$0.isUsed }.map {
                LintFinding(file: "", line: $0.line, rule: .allowUnused, subject: $0.rule.rawValue)
            }
    }
}

/// Tables with a `tenant_id` that the file leaves without a fence.
struct TenantTableLint {
    let findings: [LintFinding]

    init(_ script: SQLScript) {
        var open: [String: Int] = [:]
        var enabled: Set<String> = []
        for statement in script.statements {
            var cursor = TokenCursor(statement.tokens)
            if cursor.accept("create") {
                if cursor.isNext("temporary") || cursor.isNext("temp") { continue }
                _ = cursor.accept("unlogged")
                guard cursor.accept("table") else { continue }
                cursor.skipIfExists()
                let name = cursor.name() ?? ""
                // What a table has from others is not to be seen here.
                let isDerived =
                    cursor.isNext("partition", "of") || cursor.isNext("as")
                    || cursor.hasWord(among: ["inherits", "like"])
                if isDerived || cursor.tokens.contains(where: { $0.isName && $0.text == "tenant_id" }) {
                    open[name] = statement.line
                }
            } else if cursor.accept("select", "platform") {
                cursor.skip()
                guard cursor.accept("protect"), let argument = cursor.tokens.dropFirst().first, argument.kind == .string
                else { continue }
                open[argument.text.split(separator: ".").last.map(String.init) ?? ""] = nil
            } else if cursor.accept("alter", "table") {
                let name = cursor.name() ?? ""
                if cursor.contains("enable", "row", "level", "security") { enabled.insert(name) }
                if cursor.contains("force", "row", "level", "security"), !cursor.contains("no", "force"),
                    enabled.contains(name)
                {
                    open[name] = nil
                }
            }
        }
        findings = open.map {
            LintFinding(file: "", line: $0.value, rule: .tenantTableUnprotected, subject: $0.key)
        }
    }
}

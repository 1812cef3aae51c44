/// Judges one statement: what is known to be harmless passes, what is known to hurt is refused with a rule of its own, and
/// everything else is refused as unknown.
struct StatementLint {
    let scope: String
    /// Whether the file has other statements.
    let isAccompanied: Bool
    var history: LintHistory
    private(set) var findings: [LintFinding] = []
    private let start: TokenCursor

    init(_ statement: SQLScript.Statement, scope: String, isAccompanied: Bool, history: LintHistory) {
        self.scope = scope
        self.isAccompanied = isAccompanied
        self.history = history
        start = TokenCursor(statement.tokens)
        judge()
    }

    private mutating func refuse(_ rule: LintRule, _ subject: String) {
        findings.append(LintFinding(file: "", line: start.line, rule: rule, subject: subject))
    }

    private mutating func judge() {
        var cursor = start
        if cursor.accept("create") {
            create(cursor)
        } else if cursor.accept("alter") {
            alter(cursor)
        } else if cursor.accept("drop") {
            drop(cursor)
        } else if cursor.accept("select") {
            if !isOfPlatform(cursor) { refuse(.unknownStatement, "SELECT") }
        } else if start.hasWord(among: ["insert", "update", "delete", "merge"]), isDataStatement {
            data()
        } else if start.isNext("do") {
            refuse(.doBlock, "DO")
        } else if start.isNext("set") || start.isNext("reset") {
            refuse(.sessionSetting, start.isNext("set") ? "SET" : "RESET")
        } else if let word = start.tokens.first?.text, Self.rules[word] != nil || Self.harmless.contains(word) {
            simple(word, cursor)
        } else {
            refuse(.unknownStatement, start.tokens.first?.text.uppercased() ?? "")
        }
    }

    private var isDataStatement: Bool {
        ["insert", "update", "delete", "merge", "with"].contains { start.isNext($0) }
    }

    private static let harmless: Set<String> = ["grant", "revoke", "comment", "analyze"]
    private static let rules: [String: LintRule] = [
        "begin": .transactionControl, "start": .transactionControl, "commit": .transactionControl,
        "end": .transactionControl, "rollback": .transactionControl, "savepoint": .transactionControl,
        "release": .transactionControl, "lock": .lockTable, "truncate": .truncate, "cluster": .cluster,
        "vacuum": .vacuumFull, "reindex": .reindex,
    ]

    private mutating func simple(_ word: String, _ given: TokenCursor) {
        guard let rule = Self.rules[word] else { return }
        var cursor = given
        cursor.skip()
        if word == "truncate" || word == "lock" {
            _ = cursor.accept("table")
            if let name = cursor.name(), history.newTables.contains(name) { return }
        }
        refuse(rule, word.uppercased())
    }

    /// `SELECT platform.protect(…)` and its like.
    private func isOfPlatform(_ cursor: TokenCursor) -> Bool {
        let tokens = Array(cursor.tokens)
        guard tokens.count > 3, tokens[0].isWord("platform"), tokens[1].isSign("."), tokens[3].isSign("(") else {
            return false
        }
        return ["create_context", "protect", "open_across_tenants"].contains(tokens[2].text)
            && tokens[tokens.count - 1].isSign(")") && !cursor.contains("from")
    }

    // MARK: CREATE

    private mutating func create(_ given: TokenCursor) {
        var cursor = given
        let isReplacing = cursor.accept("or", "replace")
        if ["temporary", "temp", "unlogged", "global", "local"].contains(where: { cursor.isNext($0) }) {
            cursor.skip()
        }
        if cursor.accept("table") {
            cursor.skipIfExists()
            if let name = cursor.name() { history.create(table: name) }
        } else if cursor.accept("index") || cursor.accept("unique", "index") {
            createIndex(cursor)
        } else if cursor.isNext("function") || cursor.isNext("procedure") {
            cursor.skip()
            let name = cursor.name() ?? ""
            if cursor.contains("security", "definer"), !(scope == MigrationFiles.platform && name == "enter") {
                refuse(.securityDefiner, name)
            }
            history.create(object: name)
        } else if cursor.accept("view") {
            let name = cursor.name() ?? ""
            history.create(object: name)
            if !invokerIsTrue(cursor) { refuse(.viewDefiner, name) }
        } else if cursor.accept("materialized", "view") {
            refuse(.viewDefiner, cursor.name() ?? "")
        } else if cursor.accept("trigger") || cursor.accept("constraint", "trigger") {
            createTrigger(cursor)
        } else if cursor.accept("schema") {
            cursor.skipIfExists()
            let name = cursor.name()
            if name != scope { refuse(.unknownStatement, "CREATE SCHEMA \(name ?? "")") }
        } else if cursor.isNext("policy") {
            refuse(.policyByHand, "CREATE POLICY")
        } else if !isReplacing, ["type", "domain", "sequence", "statistics"].contains(where: { cursor.isNext($0) }) {
            cursor.skip()
            cursor.skipIfExists()
            if let name = cursor.name() { history.create(object: name) }
        } else {
            refuse(.unknownStatement, "CREATE \(cursor.tokens.first?.text.uppercased() ?? "")")
        }
    }

    private mutating func createIndex(_ given: TokenCursor) {
        var cursor = given
        let isConcurrent = cursor.accept("concurrently")
        cursor.skipIfExists()
        let name = cursor.isNext("on") ? nil : cursor.name()
        _ = cursor.accept("on")
        _ = cursor.accept("only")
        let table = cursor.name() ?? ""
        if let name { history.create(index: name) }
        if isConcurrent {
            if isAccompanied { refuse(.concurrentNotAlone, "CREATE INDEX CONCURRENTLY") }
            if name == nil { refuse(.indexUnnamed, "an index of \(table)") }
        } else if !history.newTables.contains(table) {
            refuse(.indexNotConcurrent, "the index \(name ?? "") of \(table)")
        }
    }

    private mutating func createTrigger(_ given: TokenCursor) {
        var cursor = given
        let name = cursor.name() ?? ""
        while !cursor.isAtEnd, !cursor.accept("on") { cursor.skip() }
        if let table = cursor.name(), !history.newTables.contains(table) {
            refuse(.createTrigger, "\(name) on \(table)")
        }
    }

    private func invokerIsTrue(_ given: TokenCursor) -> Bool {
        var cursor = given
        _ = cursor.parenthesized()
        guard cursor.accept("with"), let options = cursor.parenthesized() else { return false }
        return TokenCursor.split(options).contains { option in
            let texts = option.map(\.text)
            return texts == ["security_invoker"]
                || texts.first == "security_invoker"
                    && ["true", "on", "1", "yes"].contains(texts.last?.lowercased() ?? "")
        }
    }

    // MARK: ALTER

    private mutating func alter(_ given: TokenCursor) {
        var cursor = given
        if cursor.accept("table") {
            cursor.skipIfExists()
            _ = cursor.accept("only")
            var table = TableLint(cursor.name() ?? "", history)
            if cursor.tokens.first?.isSign("*") == true { cursor.skip() }
            table.judge(TokenCursor.split(cursor.tokens))
            history = table.history
            findings += table.findings
        } else if cursor.accept("type") || cursor.accept("domain") {
            let name = cursor.name() ?? ""
            if !history.newObjects.contains(name) { refuse(.alterEnum, name) }
        } else if cursor.isNext("policy") {
            refuse(.policyByHand, "ALTER POLICY")
        } else if cursor.accept("index") {
            cursor.skipIfExists()
            let name = cursor.name() ?? ""
            if cursor.isNext("set", "tablespace") {
                refuse(.rewrite, name)
            } else if !cursor.isNext("rename") && !cursor.isNext("set") && !cursor.isNext("reset") {
                refuse(.unknownStatement, "ALTER INDEX \(name)")
            }
        } else if cursor.isNext("function") || cursor.isNext("procedure") {
            alterFunction(cursor)
        } else if !cursor.isNext("sequence") || cursor.hasWord(among: ["rename", "owner", "schema"]) {
            refuse(.unknownStatement, "ALTER \(cursor.tokens.first?.text.uppercased() ?? "")")
        }
    }

    private mutating func alterFunction(_ given: TokenCursor) {
        var cursor = given
        cursor.skip()
        let name = cursor.name() ?? ""
        if cursor.contains("security", "definer") {
            refuse(.securityDefiner, name)
        } else if cursor.contains("rename", "to") || cursor.contains("set", "schema") {
            if !history.newObjects.contains(name) { refuse(.rename, name) }
        } else if cursor.contains("owner", "to") {
            refuse(.unknownStatement, "ALTER FUNCTION \(name)")
        }
    }

    // MARK: DROP, data

    private mutating func drop(_ given: TokenCursor) {
        var cursor = given
        if cursor.accept("index") {
            let isConcurrent = cursor.accept("concurrently")
            cursor.skipIfExists()
            let name = cursor.name() ?? ""
            if isConcurrent {
                if isAccompanied { refuse(.concurrentNotAlone, "DROP INDEX CONCURRENTLY") }
            } else if !history.newIndexes.contains(name) {
                refuse(.dropIndex, name)
            }
        } else if cursor.isNext("policy") {
            refuse(.rowSecurityOff, "DROP POLICY")
        } else if cursor.accept("table") || cursor.accept("schema") {
            cursor.skipIfExists()
            for part in TokenCursor.split(cursor.tokens) {
                var names = TokenCursor(part)
                if let name = names.name(), !history.newTables.contains(name) { refuse(.dropTable, name) }
            }
        } else {
            let kind = cursor.tokens.first?.text ?? ""
            cursor.skip()
            cursor.skipIfExists()
            let name = cursor.name() ?? ""
            if !history.newObjects.contains(name) { refuse(.dropObject, "\(kind) \(name)") }
        }
    }

    /// Rows may be put into a table; rows that are there may only be changed where the table is new.
    private mutating func data() {
        var cursor = start
        if cursor.accept("insert", "into") {
            let name = cursor.name() ?? ""
            // The rows themselves, or what another table holds.
            if !history.newTables.contains(name), cursor.hasWord(among: ["select", "table"]) {
                refuse(.dataChange, "INSERT INTO \(name)")
            }
            return
        }
        for words in [["update"], ["delete", "from"], ["merge", "into"]] where start.begins(words) {
            for _ in words { cursor.skip() }
            _ = cursor.accept("only")
            let name = cursor.name() ?? ""
            if !history.newTables.contains(name) { refuse(.dataChange, "\(words[0].uppercased()) of \(name)") }
            return
        }
        refuse(.dataChange, "WITH")
    }
}

extension TokenCursor {
    fileprivate func begins(_ words: [String]) -> Bool {
        tokens.count >= words.count && zip(tokens, words).allSatisfy { $0.isWord($1) }
    }
}

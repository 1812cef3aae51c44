/// Judges the parts of an `ALTER TABLE`.
struct TableLint {
    let table: String
    let isNew: Bool
    var history: LintHistory
    private(set) var findings: [LintFinding] = []

    init(_ table: String, _ history: LintHistory) {
        self.table = table
        isNew = history.newTables.contains(table)
        self.history = history
    }

    private mutating func refuse(_ rule: LintRule, _ cursor: TokenCursor, _ subject: String? = nil) {
        // The fence of a table stands from the first moment on; everything else can't hurt who isn't there.
        guard !isNew || rule == .rowSecurityOff || rule == .unknownStatement else { return }
        findings.append(LintFinding(file: "", line: cursor.line, rule: rule, subject: subject ?? table))
    }

    mutating func judge(_ actions: [ArraySlice<SQLToken>]) {
        for action in actions {
            judge(action)
            let cursor = TokenCursor(action)
            if !isNew, !cursor.isNext("validate"), !cursor.isNext("set", "(") { history.lock(table) }
        }
    }

    private mutating func judge(_ action: ArraySlice<SQLToken>) {
        let start = TokenCursor(action)
        var cursor = start
        if cursor.accept("add") {
            add(cursor, start)
        } else if cursor.accept("alter") {
            _ = cursor.accept("column")
            column(cursor.name() ?? "", cursor, start)
        } else if cursor.accept("validate", "constraint") {
            if history.lockedTables.contains(table) { refuse(.validateApart, start) }
            if let name = cursor.name() { history.validate(name, of: table) }
        } else if cursor.accept("drop") {
            drop(cursor, start)
        } else if cursor.accept("rename") {
            if !cursor.isNext("constraint") { refuse(.rename, start) }
        } else if start.isNext("disable", "row") || start.isNext("no", "force") {
            refuse(.rowSecurityOff, start)
        } else if start.isNext("attach") || start.isNext("detach") {
            refuse(.partition, start)
        } else if start.isNext("set", "schema") {
            refuse(.rename, start)
        } else if ["tablespace", "logged", "unlogged", "access"].contains(where: { start.isNext("set", $0) }) {
            refuse(.rewrite, start)
        } else if !isHarmless(start) {
            refuse(.unknownStatement, start)
        }
    }

    private func isHarmless(_ start: TokenCursor) -> Bool {
        var cursor = start
        if cursor.accept("set") || cursor.accept("reset") { return cursor.tokens.first?.isSign("(") == true }
        return start.isNext("enable", "row") || start.isNext("force", "row") || start.isNext("enable", "trigger")
            || start.isNext("replica", "identity")
    }

    // MARK: ADD

    private mutating func add(_ given: TokenCursor, _ start: TokenCursor) {
        var cursor = given
        var name: String?
        if cursor.accept("constraint") { name = cursor.name() }
        if cursor.isNext("check") {
            addCheck(name, cursor, start)
        } else if cursor.isNext("foreign", "key") {
            if !cursor.contains("not", "valid") { refuse(.addForeignKey, start) }
        } else if cursor.isNext("unique") || cursor.isNext("primary", "key") {
            if !cursor.contains("using", "index") { refuse(.addUnique, start) }
        } else if cursor.isNext("exclude") {
            refuse(.addExclusion, start)
        } else if name == nil {
            _ = cursor.accept("column")
            cursor.skipIfExists()
            addColumn(cursor.name() ?? "", cursor, start)
        } else {
            refuse(.unknownStatement, start)
        }
    }

    private mutating func addCheck(_ name: String?, _ given: TokenCursor, _ start: TokenCursor) {
        var cursor = given
        _ = cursor.accept("check")
        let isNotValid = cursor.contains("not", "valid")
        if !isNotValid { refuse(.addCheck, start) }
        guard let name, var condition = cursor.parenthesized().map({ TokenCursor($0) }), let column = condition.name(),
            condition.accept("is", "not", "null"), condition.isAtEnd
        else { return }
        history.add(check: name, notNull: column, to: table, isValid: !isNotValid)
    }

    private mutating func addColumn(_ name: String, _ cursor: TokenCursor, _ start: TokenCursor) {
        let subject = "\(table).\(name)"
        let words = cursor
        if words.contains("primary", "key") || words.hasWord(among: ["unique"]) { refuse(.addUnique, start, subject) }
        if words.hasWord(among: ["references"]) { refuse(.addForeignKey, start, subject) }
        if words.hasWord(among: ["check"]) { refuse(.addCheck, start, subject) }
        if words.contains("generated") || words.hasWord(among: ["serial", "bigserial", "smallserial"]) {
            return refuse(.addColumnVolatileDefault, start, subject)
        }
        let value = ColumnDefault(cursor.tokens)
        if let value, !value.isConstant { refuse(.addColumnVolatileDefault, start, subject) }
        if words.contains("not", "null"), value == nil || value?.isNull == true {
            refuse(.addColumnNotNull, start, subject)
        }
    }

    // MARK: ALTER COLUMN, DROP

    private mutating func column(_ name: String, _ cursor: TokenCursor, _ start: TokenCursor) {
        let subject = "\(table).\(name)"
        if cursor.isNext("type") || cursor.isNext("set", "data", "type") {
            refuse(.alterColumnType, start, subject)
        } else if cursor.isNext("set", "not", "null") {
            if !history.proves(notNull: name, of: table) { refuse(.setNotNull, start, subject) }
        } else if cursor.isNext("set", "expression") {
            refuse(.rewrite, start, subject)
        } else if !(cursor.isNext("set") || cursor.isNext("reset") || cursor.isNext("drop") || cursor.isNext("restart")
            || cursor.isNext("add", "generated"))
        {
            refuse(.unknownStatement, start, subject)
        }
    }

    private mutating func drop(_ given: TokenCursor, _ start: TokenCursor) {
        var cursor = given
        if cursor.accept("constraint") {
            cursor.skipIfExists()
            let name = cursor.name() ?? ""
            history.drop(name, of: table)
            if name == "own_tenant" { refuse(.rowSecurityOff, start) }
        } else {
            _ = cursor.accept("column")
            cursor.skipIfExists()
            refuse(.dropColumn, start, "\(table).\(cursor.name() ?? "")")
        }
    }
}

/// What a new column holds in the rows that are there.
struct ColumnDefault {
    private let tokens: ArraySlice<SQLToken>

    /// Nothing where the column has no default.
    init?(_ definition: ArraySlice<SQLToken>) {
        guard let at = definition.firstIndex(where: { $0.isWord("default") }) else { return nil }
        var depth = 0
        var end = definition.index(after: at)
        while end < definition.endIndex {
            let token = definition[end]
            if token.isSign("(") || token.isSign("[") { depth += 1 }
            if token.isSign(")") || token.isSign("]") { depth -= 1 }
            if depth == 0, token.kind == .word, Self.next.contains(token.text), end > at + 1 { break }
            end += 1
        }
        tokens = definition[(at + 1)..<end]
    }

    /// What may follow a default in a column's definition.
    private static let next: Set<String> = [
        "not", "null", "constraint", "check", "unique", "primary", "references", "collate",
    ]

    var isNull: Bool { tokens.count == 1 && tokens.first?.isWord("null") == true }

    /// Whether it is worked out once and not for every row: nothing in it is a function but those that stay the same
    /// within a transaction.
    var isConstant: Bool {
        zip(tokens, tokens.dropFirst()).allSatisfy { word, next in
            guard next.isSign("("), word.isName else { return true }
            return Self.stable.contains(word.text) || Self.types.contains(word.text)
        }
    }

    private static let stable: Set<String> = ["now", "transaction_timestamp", "statement_timestamp"]
    /// Those that take a length behind a cast.
    private static let types: Set<String> = [
        "varchar", "char", "numeric", "decimal", "bit", "timestamp", "timestamptz", "time",
    ]
}

import Foundation

/// The statements of a file, as tokens.
struct SQLScript {
    struct Statement: Sendable {
        let tokens: [SQLToken]

        var line: Int { tokens.first?.line ?? 1 }

        /// Whether the statement begins with these words.
        func begins(_ words: String...) -> Bool {
            tokens.count >= words.count && zip(tokens, words).allSatisfy { $0.isWord($1) }
        }
    }

    let statements: [Statement]
    let comments: [SQLComment]
    /// What was opened and never closed, with its line.
    let flaw: (what: String, line: Int)?

    init(_ text: String) {
        let lexer = SQLLexer(text)
        comments = lexer.comments
        flaw = lexer.flaw
        statements = Self.split(lexer.tokens)
    }

    /// A semicolon ends a statement, save in brackets and in the body of a function that is written as statements.
    private static func split(_ tokens: [SQLToken]) -> [Statement] {
        var statements: [Statement] = []
        var current: [SQLToken] = []
        var depth = 0
        var bodies = 0
        for token in tokens {
            if token.isSign("(") || token.isSign("[") { depth += 1 }
            if token.isSign(")") || token.isSign("]") { depth -= 1 }
            if token.isWord("atomic"), current.last?.isWord("begin") == true { bodies += 1 }
            if bodies > 0 {
                if token.isWord("case") { bodies += 1 }
                if token.isWord("end") { bodies -= 1 }
            }
            if token.isSign(";"), depth <= 0, bodies == 0 {
                if !current.isEmpty { statements.append(Statement(tokens: current)) }
                current = []
                depth = 0
            } else {
                current.append(token)
            }
        }
        if !current.isEmpty { statements.append(Statement(tokens: current)) }
        return statements
    }
}

/// A file that makes or drops one index concurrently and does nothing else: it runs outside any transaction.
enum ConcurrentIndex: Hashable, Sendable {
    /// The name is without a schema, which a new index's name can't have.
    case create(name: String, plain: String)
    case drop(name: String, plain: String)

    /// The statement without CONCURRENTLY, for tables that nobody uses yet.
    var plain: String {
        switch self {
        case .create(_, let plain), .drop(_, let plain): plain
        }
    }

    init?(_ sql: String) {
        // Most files don't hold the word, and need not be cut up.
        guard sql.range(of: "concurrently", options: .caseInsensitive) != nil else { return nil }
        let statements = SQLScript(sql).statements
        guard statements.count == 1, let statement = statements.first,
            let at = statement.tokens.firstIndex(where: { $0.isWord("concurrently") })
        else { return nil }
        let tokens = statement.tokens
        let isNew =
            statement.begins("create", "index") && at == 2 || statement.begins("create", "unique", "index") && at == 3
        guard isNew || statement.begins("drop", "index") && at == 2 else { return nil }
        let words = tokens.dropFirst(at + 1)
        let skipped =
            words.prefix(3).map(\.text) == ["if", "not", "exists"]
            ? 3 : words.prefix(2).map(\.text) == ["if", "exists"] ? 2 : 0
        guard let name = words.dropFirst(skipped).first, name.isName, !name.isWord("on") else { return nil }
        var bytes = Array(sql.utf8)
        bytes.removeSubrange(tokens[at].range)
        let plain = String(decoding: bytes, as: UTF8.self)
        self = isNew ? .create(name: name.text, plain: plain) : .drop(name: name.text, plain: plain)
    }
}

/// Walks through the tokens of a statement.
struct TokenCursor {
    private var rest: ArraySlice<SQLToken>

    init(_ tokens: some Collection<SQLToken>) {
        rest = Array(tokens)[...]
    }

    var tokens: ArraySlice<SQLToken> { rest }
    var line: Int { rest.first?.line ?? 1 }
    var isAtEnd: Bool { rest.isEmpty }

    /// Goes past these words where they come next.
    mutating func accept(_ words: String...) -> Bool {
        guard rest.count >= words.count, zip(rest, words).allSatisfy({ $0.isWord($1) }) else { return false }
        rest = rest.dropFirst(words.count)
        return true
    }

    func isNext(_ words: String...) -> Bool {
        rest.count >= words.count && zip(rest, words).allSatisfy { $0.isWord($1) }
    }

    func contains(_ words: String...) -> Bool {
        rest.indices.contains { index in
            rest.endIndex - index >= words.count && zip(rest[index...], words).allSatisfy { $0.isWord($1) }
        }
    }

    func hasWord(among words: Set<String>) -> Bool {
        rest.contains { $0.kind == .word && words.contains($0.text) }
    }

    mutating func skip() { rest = rest.dropFirst() }

    /// Goes past a name, and answers it without its schema.
    mutating func name() -> String? {
        guard let first = rest.first, first.isName else { return nil }
        var name = first.text
        skip()
        while let dot = rest.first, dot.isSign("."), let next = rest.dropFirst().first, next.isName {
            name = next.text
            rest = rest.dropFirst(2)
        }
        return name
    }

    mutating func skipIfExists() {
        if !accept("if", "not", "exists") { _ = accept("if", "exists") }
    }

    /// What is between the brackets that come next, without them.
    mutating func parenthesized() -> ArraySlice<SQLToken>? {
        guard rest.first?.isSign("(") == true else { return nil }
        var depth = 0
        for index in rest.indices {
            if rest[index].isSign("(") { depth += 1 }
            if rest[index].isSign(")") { depth -= 1 }
            if depth == 0 {
                let inside = rest[(rest.startIndex + 1)..<index]
                rest = rest[(index + 1)...]
                return inside
            }
        }
        return nil
    }

    /// The parts between commas that are in no brackets.
    static func split(_ tokens: ArraySlice<SQLToken>) -> [ArraySlice<SQLToken>] {
        var parts: [ArraySlice<SQLToken>] = []
        var depth = 0
        var start = tokens.startIndex
        for index in tokens.indices {
            if tokens[index].isSign("(") || tokens[index].isSign("[") { depth += 1 }
            if tokens[index].isSign(")") || tokens[index].isSign("]") { depth -= 1 }
            if depth == 0, tokens[index].isSign(",") {
                parts.append(tokens[start..<index])
                start = index + 1
            }
        }
        parts.append(tokens[start...])
        return parts.filter { !$0.isEmpty }
    }
}

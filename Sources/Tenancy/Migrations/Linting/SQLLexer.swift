/// A word, number, string or sign of an SQL text, and where it begins.
struct SQLToken: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// A keyword or a name without quotes.
        case word
        /// A name in double quotes, without them.
        case quoted
        /// A string in any of its spellings.
        case string
        case number
        case sign
    }

    let kind: Kind
    /// Lower case where it is a word; what a string holds.
    let text: String
    /// Counted from 1.
    let line: Int
    /// Of the token in the text's UTF-8.
    let range: Range<Int>

    func isWord(_ word: String) -> Bool { kind == .word && text == word }
    func isSign(_ sign: String) -> Bool { kind == .sign && text == sign }
    var isName: Bool { kind == .word || kind == .quoted }
}

/// A comment that begins with `--`, without these.
struct SQLComment: Hashable, Sendable {
    let text: String
    let line: Int
}

/// Cuts an SQL text as PostgreSQL does (chapter 4.1 of its manual): strings, dollar quotes, names, nested comments.
struct SQLLexer {
    private let bytes: [UInt8]
    private var at = 0
    private var line = 1
    private(set) var tokens: [SQLToken] = []
    private(set) var comments: [SQLComment] = []
    /// What was opened and never closed, with its line.
    private(set) var flaw: (what: String, line: Int)?

    init(_ text: String) {
        bytes = Array(text.utf8)
        while at < bytes.count { next() }
    }

    private func byte(_ offset: Int = 0) -> UInt8? {
        at + offset < bytes.count ? bytes[at + offset] : nil
    }

    private mutating func next() {
        let start = at
        switch bytes[at] {
        case UInt8(ascii: "\n"):
            line += 1
            at += 1
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), 0x0B, 0x0C: at += 1
        case UInt8(ascii: "-") where byte(1) == UInt8(ascii: "-"): lineComment()
        case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "*"): blockComment()
        case UInt8(ascii: "'"): string(from: start, escapes: false)
        case UInt8(ascii: "\""): quotedName()
        case UInt8(ascii: "$"): dollar()
        case let first where Self.beginsWord(first): word()
        case let first where Self.isDigit(first) || first == UInt8(ascii: ".") && byte(1).map(Self.isDigit) == true:
            while let next = byte(), Self.isDigit(next) || Self.beginsWord(next) || next == UInt8(ascii: ".") {
                at += 1
            }
            add(.number, start)
        default:
            at += 1
            // Operators of several characters matter to nobody here, but for these.
            if let next = byte(), [[0x3A, 0x3A], [0x3A, 0x3D]].contains([bytes[start], next]) { at += 1 }
            add(.sign, start)
        }
    }

    private mutating func add(_ kind: SQLToken.Kind, _ start: Int, text: String? = nil, line first: Int? = nil) {
        let text = text ?? String(decoding: bytes[start..<at], as: UTF8.self)
        tokens.append(
            SQLToken(
                kind: kind, text: kind == .word ? text.lowercased() : text, line: first ?? line, range: start..<at))
    }

    private mutating func lineComment() {
        let start = at + 2
        while let next = byte(), next != UInt8(ascii: "\n") { at += 1 }
        comments.append(SQLComment(text: String(decoding: bytes[start..<at], as: UTF8.self), line: line))
    }

    private mutating func blockComment() {
        let first = line
        var depth = 0
        repeat {
            switch (byte(), byte(1)) {
            case (UInt8(ascii: "/"), UInt8(ascii: "*")):
                depth += 1
                at += 2
            case (UInt8(ascii: "*"), UInt8(ascii: "/")):
                depth -= 1
                at += 2
            case (nil, _):
                flaw = flaw ?? ("a comment", first)
                return
            case (let next, _):
                if next == UInt8(ascii: "\n") { line += 1 }
                at += 1
            }
        } while depth > 0
    }

    /// From its quote on; `start` is where its prefix begins.
    private mutating func string(from start: Int, escapes: Bool) {
        let first = line
        let content = at + 1
        at += 1
        while let next = byte() {
            if next == UInt8(ascii: "\n") { line += 1 }
            if next == UInt8(ascii: "'") {
                guard byte(1) == UInt8(ascii: "'") else {
                    at += 1
                    return add(
                        .string, start, text: String(decoding: bytes[content..<at - 1], as: UTF8.self), line: first)
                }
                at += 1
            } else if escapes, next == UInt8(ascii: "\\") {
                if byte(1) == UInt8(ascii: "\n") { line += 1 }
                at += 1
            }
            at += 1
        }
        at = bytes.count
        flaw = flaw ?? ("a string", first)
    }

    private mutating func quotedName() {
        let (start, first) = (at, line)
        var name: [UInt8] = []
        at += 1
        while let next = byte() {
            if next == UInt8(ascii: "\n") { line += 1 }
            if next == UInt8(ascii: "\"") {
                guard byte(1) == UInt8(ascii: "\"") else {
                    at += 1
                    return add(.quoted, start, text: String(decoding: name, as: UTF8.self), line: first)
                }
                at += 1
            }
            name.append(next)
            at += 1
        }
        flaw = flaw ?? ("a quoted name", first)
    }

    private mutating func dollar() {
        let (start, first) = (at, line)
        var end = at + 1
        while end < bytes.count, Self.beginsWord(bytes[end]) || (end > at + 1 && Self.isDigit(bytes[end])) { end += 1 }
        guard end < bytes.count, bytes[end] == UInt8(ascii: "$") else {
            // A parameter or a stray sign.
            at = max(end, at + 1)
            while let next = byte(), Self.isDigit(next) { at += 1 }
            return add(.sign, start)
        }
        let tag = bytes[start...end]
        at = end + 1
        let content = at
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "$"), bytes[at...].starts(with: tag) {
                let text = String(decoding: bytes[content..<at], as: UTF8.self)
                at += tag.count
                return add(.string, start, text: text, line: first)
            }
            if bytes[at] == UInt8(ascii: "\n") { line += 1 }
            at += 1
        }
        flaw = flaw ?? ("a dollar-quoted string", first)
    }

    private mutating func word() {
        let start = at
        while let next = byte(), Self.beginsWord(next) || Self.isDigit(next) || next == UInt8(ascii: "$") { at += 1 }
        // A prefix of a string: E'…' has escapes; B, X and N have none. U& is followed by a sign.
        if byte() == UInt8(ascii: "'"), at - start == 1, "eEbBxXnN".utf8.contains(bytes[start]) {
            return string(from: start, escapes: "eE".utf8.contains(bytes[start]))
        }
        add(.word, start)
    }

    private static func beginsWord(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || byte == UInt8(ascii: "_") || byte >= 0x80
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

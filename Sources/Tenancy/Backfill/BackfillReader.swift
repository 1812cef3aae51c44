/// Reads a backfill's file, and takes nothing that it does not know.
struct BackfillReader {
    private let context: String
    private let title: String
    private let text: String
    private let file: String
    private static let headers = ["table", "key", "type", "batch"]

    init(context: String, title: String, text: String) {
        self.context = context
        self.title = title
        self.text = text
        file = "backfills/\(context)/\(title).sql"
    }

    func read() throws(BackfillFileError) -> BackfillDefinition {
        let headers = try self.headers()
        let table = try name("table", headers, "a table of \(context) without its schema, such as `orders`")
        let key = try name("key", headers, "the name of the column that the batches go along, such as `id`")
        let typeHeader = try header("type", headers, "-- type: uuid")
        guard let type = BackfillDefinition.KeyType(rawValue: typeHeader.value) else {
            let known = BackfillDefinition.KeyType.allCases.map(\.rawValue).joined(separator: ", ")
            throw error(typeHeader.line, "the type \(typeHeader.value) can't be a key's", "write one of \(known)")
        }
        let batchHeader = try header("batch", headers, "-- batch: 500")
        guard let batch = Int(batchHeader.value), BackfillDefinition.batches.contains(batch) else {
            let range = BackfillDefinition.batches
            throw error(
                batchHeader.line,
                "the batch \(batchHeader.value) is no number from \(range.lowerBound) to "
                    + "\(range.upperBound)", "write such as `-- batch: 500`")
        }
        return BackfillDefinition(
            context: context, title: title, table: table, key: key, type: type, batch: batch, pieces: try pieces())
    }

    private func error(_ line: Int?, _ problem: String, _ remedy: String) -> BackfillFileError {
        BackfillFileError(file: file, line: line, problem: problem, remedy: remedy)
    }

    // MARK: Headers

    private struct Header {
        let value: String
        let line: Int
    }

    /// Of the comment that the file begins with. A line of it that is not one word and a colon is for people.
    private func headers() throws(BackfillFileError) -> [String: Header] {
        var found: [String: Header] = [:]
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.trimming()
            if line.isEmpty { continue }
            guard line.hasPrefix("--") else { break }
            let comment = line.drop { $0 == "-" }.trimming()
            guard let colon = comment.firstIndex(of: ":") else { continue }
            let name = comment[..<colon]
            guard !name.isEmpty, !name.contains(where: \.isWhitespace) else { continue }
            guard Self.headers.contains(String(name)) else {
                throw error(
                    index + 1, "the header \(name) is unknown",
                    "there are \(Self.headers.joined(separator: ", ")); leave out the colon where it is a remark")
            }
            let header = Header(value: String(comment[comment.index(after: colon)...].trimming()), line: index + 1)
            if let first = found.updateValue(header, forKey: String(name)) {
                throw error(index + 1, "the header \(name) was in line \(first.line) already", "leave one of them")
            }
        }
        return found
    }

    private func header(
        _ name: String, _ headers: [String: Header], _ example: String
    ) throws(BackfillFileError) -> Header {
        guard let header = headers[name] else {
            throw error(1, "the header \(name) is missing", "begin the file with comments such as `\(example)`")
        }
        return header
    }

    private func name(
        _ header: String, _ headers: [String: Header], _ what: String
    ) throws(BackfillFileError) -> String {
        let found = try self.header(header, headers, "-- \(header): \(header == "table" ? "orders" : "id")")
        guard isPlainIdentifier(found.value) else {
            throw error(found.line, "the \(header) \(found.value) is no plain name", "write \(what)")
        }
        return found.value
    }

    // MARK: The statement

    private func pieces() throws(BackfillFileError) -> [BackfillDefinition.Piece] {
        let script = SQLScript(text)
        if let flaw = script.flaw {
            throw error(flaw.line, "\(flaw.what) is opened here and never closed", "close it")
        }
        guard let statement = script.statements.first, let first = statement.tokens.first,
            let last = statement.tokens.last
        else { throw error(nil, "there is no statement", "write one that goes through a batch and returns its keys") }
        if script.statements.count > 1 {
            throw error(
                script.statements[1].line, "a second statement begins here",
                "leave one; parts of it can be joined with WITH")
        }
        let beginnings = ["with", "select", "insert", "update", "delete"]
        guard beginnings.contains(where: first.isWord) else {
            throw error(
                first.line, "a batch can't begin with \(first.text)",
                "begin with \(beginnings.map { $0.uppercased() }.joined(separator: ", "))")
        }
        let source = Array(text.utf8)
        var pieces: [BackfillDefinition.Piece] = []
        var copied = first.range.lowerBound
        for (sign, word) in zip(statement.tokens, statement.tokens.dropFirst()) {
            if sign.kind == .sign, sign.text.hasPrefix("$") { throw parameter(sign) }
            guard sign.isSign(":"), word.kind == .word, sign.range.upperBound == word.range.lowerBound else { continue }
            pieces.append(.text(String(decoding: source[copied..<sign.range.lowerBound], as: UTF8.self)))
            switch word.text {
            case "after": pieces.append(.after)
            case "limit": pieces.append(.limit)
            default:
                throw error(
                    word.line, "the placeholder :\(word.text) is unknown",
                    "there are :after and :limit; put a space behind a colon that is none")
            }
            copied = word.range.upperBound
        }
        if last.kind == .sign, last.text.hasPrefix("$") { throw parameter(last) }
        pieces.append(.text(String(decoding: source[copied..<last.range.upperBound], as: UTF8.self)))
        for (piece, what) in [
            (BackfillDefinition.Piece.after, ":after, the last key of the batch before"),
            (.limit, ":limit, the size of a batch"),
        ] where !pieces.contains(piece) {
            throw error(first.line, "the statement is without \(what)", "see schemas/backfills/README.md")
        }
        return pieces
    }

    private func parameter(_ token: SQLToken) -> BackfillFileError {
        error(token.line, "the parameter \(token.text) has no value", "there are :after and :limit")
    }
}

extension StringProtocol {
    fileprivate func trimming() -> SubSequence {
        let start = drop(while: \.isWhitespace)
        guard let end = start.lastIndex(where: { !$0.isWhitespace }) else { return start }
        return start[...end]
    }
}

import Foundation

extension Record {
    /// The same record with a changed text.
    func with(_ document: Document) -> Record {
        // The path was a record's before.
        Record(path: path, bytes: document.bytes)!
    }

    /// Adds `label [title](file)` where the record tells of others: the section Status, or Links, or More Information.
    func adding(_ label: String, _ link: String) -> Record {
        var document = document
        if case .section(let heading, _) = metadata.place {
            Self.append("\(label) \(link)", to: outline.body(of: heading), in: &document)
            return with(document)
        }
        for name in ["links", "more information", "related decisions"] {
            guard let heading = outline.headings.first(where: { $0.text.lowercased() == name }) else { continue }
            let body = outline.body(of: heading)
            let isList = body.contains { document.lines[$0].text.hasPrefix("- ") }
            if isList, let last = body.last(where: { !document.lines[$0].isBlank }) {
                document.insert(["- \(label) \(link)"], at: last + 1)
            } else {
                Self.append("\(label) \(link)", to: body, in: &document)
            }
            return with(document)
        }
        let end = document.lines.count
        let gap = document.lines.last.map { $0.isBlank } == false ? [""] : []
        document.insert(gap + ["## More Information", "", "\(label) \(link)"], at: end)
        return with(document)
    }

    /// A paragraph of its own at the end of a section.
    private static func append(_ text: String, to body: Range<Int>, in document: inout Document) {
        let isLast = body.upperBound == document.lines.count
        let isTight = body.last.map { !document.lines[$0].isBlank } ?? true
        document.insert((isTight ? [""] : []) + [text] + (isLast ? [] : [""]), at: body.upperBound)
    }

    /// Puts other words in place of the status; what else its line says stays.
    func settingStatus(_ status: String) throws -> Record {
        var document = document
        switch metadata.place {
        case .section(_, let line?):
            document.replace(line, with: Self.replacingFirstWord(of: document.lines[line].text, by: status))
        case .section(let heading, nil):
            document.insert(["", status], at: heading.bodyStart)
        case .list(let line):
            let text = document.lines[line].text
            guard let colon = text.firstIndex(of: ":") else { return self }
            let head = text[...colon]
            let rest = String(text[text.index(after: colon)...])
            // `**Status:** accepted` closes its emphasis behind the colon.
            let marks = rest.prefix { $0 == "*" || $0 == "_" }
            let value = rest.dropFirst(marks.count).trimmingCharacters(in: .whitespaces)
            document.replace(
                line, with: "\(head)\(marks) \(value.isEmpty ? status : Self.replacingAll(value, by: status))")
        case .frontMatter(let line):
            try Self.replaceScalar(at: line, with: status, in: &document, path: path)
        case .none:
            guard let matter = outline.frontMatter else {
                document.insert(["---", "status: \(Self.quoted(status))", "---", ""], at: 0)
                break
            }
            if metadata.mistake != nil {
                throw RecordError("the front matter of \(path) is no YAML: mend it first (adr doctor says where)")
            }
            document.insert(["status: \(Self.quoted(status))"], at: matter.lowerBound)
        }
        return with(document)
    }

    /// The number in the title, where there is one.
    func renumbered(to number: Int, path: String) -> Record {
        var document = document
        if let titleNumber, let line = titleLine {
            let text = document.lines[line].text
            if let range = text.firstRange(of: /0*[0-9]+/), Int(text[range]) == titleNumber {
                let isPadded = text[range].hasPrefix("0")
                let digits = isPadded ? RecordName.padded(number) : String(number)
                document.replace(line, with: text.replacingCharacters(in: range, with: digits))
            }
        }
        // The path differs from a record's in its number alone.
        return Record(path: path, bytes: document.bytes)!
    }

    private static func replacingFirstWord(of text: String, by word: String) -> String {
        guard let start = text.firstIndex(where: \.isLetter) else { return word }
        let rest = text[start...]
        let end = rest.firstIndex { !$0.isLetter } ?? rest.endIndex
        return "\(text[..<start])\(word)\(text[end...])"
    }

    /// A known status falls away with what it named; anything else is kept behind it.
    private static func replacingAll(_ value: String, by status: String) -> String {
        RecordMetadata.status(of: value) == .superseded ? status : replacingFirstWord(of: value, by: status)
    }

    private static func replaceScalar(
        at line: Int, with value: String, in document: inout Document, path: String
    ) throws {
        let text = document.lines[line].text
        let below = line + 1 < document.lines.count ? document.lines[line + 1].text : ""
        guard let match = text.wholeMatch(of: /status:\s*("[^"]*"|'[^']*'|[^#"'\[{|>&*!][^#]*|)(\s+#.*|)\s*/),
            !below.hasPrefix(" "), !below.hasPrefix("- ")
        else {
            throw RecordError("the status of \(path) is written over several lines or as a list: change it by hand")
        }
        let quote = match.output.1.first.flatMap { $0 == "\"" || $0 == "'" ? $0 : nil }
        let written = quote.map { "\($0)\(value)\($0)" } ?? quoted(value)
        let comment = match.output.2.trimmingCharacters(in: .whitespaces)
        document.replace(line, with: "status: \(written)\(comment.isEmpty ? "" : " \(comment)")")
    }

    /// A plain scalar where YAML takes it for text.
    static func quoted(_ text: String) -> String {
        if text.wholeMatch(of: /[A-Za-z][A-Za-z0-9 _.\-]*/) != nil { return text }
        return "\"" + text.replacing(/["\\]/) { "\\" + $0.output } + "\""
    }
}

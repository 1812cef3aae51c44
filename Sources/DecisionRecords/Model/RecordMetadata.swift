import Foundation

/// Status, date, tags and what a record says of others: from front matter, a list under the title, or a section.
package struct RecordMetadata: Sendable {
    enum Place: Sendable, Hashable {
        /// The section `Status` and the line in it that tells the status.
        case section(Outline.Heading, line: Int?)
        /// `status:` in the front matter.
        case frontMatter(line: Int)
        /// `- Status: …` under the title.
        case list(line: Int)
        case none
    }

    package private(set) var status: RecordStatus?
    /// As written.
    package private(set) var statusText: String?
    package private(set) var date: String?
    package private(set) var tags: [String] = []
    package private(set) var relations: [Relation] = []
    private(set) var place = Place.none
    /// What is wrong with the front matter, with the line.
    package private(set) var mistake: (line: Int, text: String)?

    init(_ document: Document, _ outline: Outline) {
        if let range = outline.frontMatter { readFrontMatter(document, range) }
        let title = outline.headings.first { $0.level == 1 }
        let start = title?.bodyStart ?? outline.frontMatter.map { $0.upperBound + 1 } ?? 0
        let end = outline.headings.first { $0.line >= start }?.line ?? document.lines.count
        for line in start..<max(start, end) where !outline.isHidden[line] { readList(document.lines[line], line) }
        if let heading = outline.headings.first(where: { $0.text.lowercased() == "status" && $0 != title }) {
            readSection(document, outline, heading)
        }
        let names = ["links", "more information", "related decisions"]
        for heading in outline.headings where names.contains(heading.text.lowercased()) {
            for line in outline.body(of: heading) where !outline.isHidden[line] {
                relations += Relation.all(in: document.lines[line], line: line, mayBePlain: false)
            }
        }
    }

    private mutating func readFrontMatter(_ document: Document, _ range: Range<Int>) {
        let matter: FrontMatter
        do {
            matter = try FrontMatter(document.lines[range].map(\.text).joined(separator: "\n"))
        } catch {
            mistake = (range.lowerBound + max(0, (error.line ?? 1) - 1), error.text)
            return
        }
        date = matter["date"]?.first
        tags = matter["tags"] ?? []
        guard let value = matter["status"] else { return }
        guard let line = range.first(where: { document.lines[$0].text.hasPrefix("status:") }) else { return }
        place = .frontMatter(line: line)
        read(value.joined(separator: ", "), of: Document.Line(bytes: Array((value.first ?? "").utf8), ending: []), line)
    }

    private mutating func readList(_ line: Document.Line, _ index: Int) {
        guard let match = line.text.wholeMatch(of: /\s*[-*]?\s*[*_]{0,2}([A-Za-z]+)[*_]{0,2}:[*_]{0,2}\s*(.*)/) else {
            return
        }
        let value = match.output.2.trimmingCharacters(in: .whitespaces)
        switch match.output.1.lowercased() {
        case "status" where place == .none:
            place = .list(line: index)
            read(value, of: Document.Line(bytes: Array(value.utf8), ending: []), index)
        case "date" where date == nil:
            date = value.isEmpty ? nil : value
        case "tags" where tags.isEmpty:
            tags = value.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        default: break
        }
    }

    private mutating func readSection(_ document: Document, _ outline: Outline, _ heading: Outline.Heading) {
        let lines = outline.body(of: heading).filter { !outline.isHidden[$0] && !document.lines[$0].isBlank }
        for line in lines { relations += Relation.all(in: document.lines[line], line: line, mayBePlain: true) }
        guard place == .none else { return }
        let known = lines.compactMap { line in Self.status(of: document.lines[line].text).map { (line, $0) } }
        // adr-tools leaves what it doesn't know before "Superceded by", so that the last word is the one that counts.
        if let told = known.first(where: { $0.1 == .superseded }) ?? known.first {
            place = .section(heading, line: told.0)
            (status, statusText) = (told.1, document.lines[told.0].text)
        } else {
            let plain = lines.first { MarkdownLink.all(in: document.lines[$0]).isEmpty }
            place = .section(heading, line: plain)
            statusText = plain.map { document.lines[$0].text }
        }
    }

    private mutating func read(_ text: String, of line: Document.Line, _ index: Int) {
        guard !text.isEmpty else { return }
        statusText = text
        status = Self.status(of: text)
        relations += Relation.all(in: line, line: index, mayBePlain: true)
    }

    /// The status that a line begins with, whatever follows.
    static func status(of text: String) -> RecordStatus? {
        let trimmed = text.drop { " \t-*_\"'".contains($0) }
        return RecordStatus(word: String(trimmed.prefix { $0.isLetter }))
    }
}

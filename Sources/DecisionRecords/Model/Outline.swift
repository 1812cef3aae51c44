import Foundation

/// What of a Markdown document is front matter, heading, code or comment.
struct Outline: Sendable {
    struct Heading: Sendable, Hashable {
        let level: Int
        let text: String
        let line: Int
        /// The first line below it: one further where the heading is underlined.
        let bodyStart: Int
    }

    private(set) var headings: [Heading] = []
    /// The lines between the two `---`.
    private(set) var frontMatter: Range<Int>?
    /// By line: whether it is code, comment or front matter, and no prose.
    private(set) var isHidden: [Bool]

    init(_ document: Document) {
        let texts = document.lines.map(\.text)
        isHidden = Array(repeating: false, count: texts.count)
        var index = readFrontMatter(texts)
        var fence: String?
        var isComment = false
        while index < texts.count {
            let text = texts[index]
            let trimmed = text.trimmingCharacters(in: .whitespaces)
            if let open = fence {
                isHidden[index] = true
                if trimmed.hasPrefix(open), trimmed.allSatisfy({ $0 == open.first }) { fence = nil }
            } else if isComment {
                isHidden[index] = true
                isComment = !trimmed.contains("-->")
            } else if let opened = Self.fence(text) {
                fence = opened
                isHidden[index] = true
            } else if trimmed.hasPrefix("<!--"), !trimmed.contains("-->") {
                isComment = true
                isHidden[index] = true
            } else if let (level, title) = Self.heading(text) {
                headings.append(Heading(level: level, text: title, line: index, bodyStart: index + 1))
            } else if let level = Self.underline(texts, index) {
                headings.append(Heading(level: level, text: trimmed, line: index, bodyStart: index + 2))
                index += 1
            }
            index += 1
        }
    }

    /// The lines below a heading, up to the next heading of any level.
    func body(of heading: Heading) -> Range<Int> {
        let end = headings.first { $0.line > heading.line }?.line ?? isHidden.count
        return heading.bodyStart..<max(heading.bodyStart, end)
    }

    /// The lines below a heading with all that belongs to it.
    func section(of heading: Heading) -> Range<Int> {
        let end = headings.first { $0.line > heading.line && $0.level <= heading.level }?.line ?? isHidden.count
        return heading.bodyStart..<max(heading.bodyStart, end)
    }

    private mutating func readFrontMatter(_ texts: [String]) -> Int {
        func isRule(_ text: String) -> Bool { text.hasPrefix("---") && text.allSatisfy { $0 == "-" || $0 == " " } }
        guard let first = texts.first, isRule(first), first.filter({ $0 == "-" }).count == 3,
            let end = texts.indices.dropFirst().first(where: { isRule(texts[$0]) || texts[$0] == "..." })
        else { return 0 }
        frontMatter = 1..<end
        for index in 0...end { isHidden[index] = true }
        return end + 1
    }

    private static func fence(_ text: String) -> String? {
        let trimmed = text.drop { $0 == " " }
        for mark: Character in ["`", "~"] {
            let run = trimmed.prefix { $0 == mark }
            if run.count >= 3, mark == "~" || !trimmed.dropFirst(run.count).contains("`") { return String(run) }
        }
        return nil
    }

    private static func heading(_ text: String) -> (Int, String)? {
        let body = text.drop { $0 == " " }
        let marks = body.prefix { $0 == "#" }
        guard text.count - body.count < 4, (1...6).contains(marks.count) else { return nil }
        let rest = body.dropFirst(marks.count)
        guard rest.isEmpty || rest.first == " " || rest.first == "\t" else { return nil }
        var title = rest.trimmingCharacters(in: .whitespaces)
        let tail = title.reversed().prefix { $0 == "#" }.count
        if tail > 0, tail == title.count || title.dropLast(tail).last == " " {
            title = title.dropLast(tail).trimmingCharacters(in: .whitespaces)
        }
        return (marks.count, title)
    }

    private static func underline(_ texts: [String], _ index: Int) -> Int? {
        guard index + 1 < texts.count, let first = texts[index].first, first.isLetter || first.isNumber else {
            return nil
        }
        let below = texts[index + 1].trimmingCharacters(in: .whitespaces)
        guard below.count >= 3 else { return nil }
        if below.allSatisfy({ $0 == "=" }) { return 1 }
        return below.allSatisfy { $0 == "-" } ? 2 : nil
    }
}

import Foundation

/// One architecture decision record, as its file has it.
package struct Record: Sendable {
    /// From the folder of the records, with `/` between.
    package let path: String
    package let name: RecordName
    package let document: Document
    let outline: Outline
    /// Without the number; nil where the document has no heading of the first level.
    package let title: String?
    /// The number that the title begins with, as in `# 12. Use queues`.
    package let titleNumber: Int?
    let titleLine: Int?
    package let metadata: RecordMetadata

    /// Nil where the file's name is no record's.
    package init?(path: String, bytes: [UInt8]) {
        guard let name = RecordName(file: path.split(separator: "/").last.map(String.init) ?? path) else { return nil }
        self.path = path
        self.name = name
        document = Document(bytes)
        outline = Outline(document)
        let heading = outline.headings.first { $0.level == 1 }
        titleLine = heading?.line
        (titleNumber, title) = heading.map { Self.split($0.text) } ?? (nil, nil)
        metadata = RecordMetadata(document, outline)
    }

    package var number: Int? { name.number }
    /// The folder in the folder of the records that numbers are counted in; empty for the folder itself.
    package var folder: String { path.split(separator: "/").dropLast().joined(separator: "/") }
    package var status: RecordStatus? { metadata.status }
    package var date: String? { metadata.date ?? name.date }
    package var tags: [String] { metadata.tags }
    /// The title as the document has it, number and all, or what the file's name says.
    package var heading: String {
        guard let title else { return name.stem }
        return titleNumber.map { "\($0). \(title)" } ?? title
    }
    /// What people call it.
    package var label: String { number.map { "ADR \($0)" } ?? name.stem }

    /// Every link of the prose, by line.
    package var links: [(line: Int, link: MarkdownLink)] {
        document.lines.indices.filter { !outline.isHidden[$0] }.flatMap { line in
            MarkdownLink.all(in: document.lines[line]).map { (line, $0) }
        }
    }

    package var sections: [(title: String, body: String)] {
        outline.headings.filter { $0.level > 1 }.map { heading in
            (heading.text, document.lines[outline.body(of: heading)].map(\.text).joined(separator: "\n"))
        }
    }

    static func split(_ heading: String) -> (Int?, String) {
        let numbered = /(?i)(?:ADR[- #]?)?([0-9]{1,18})\s*(?:[.:)]\s|[-–—]\s)\s*(.+)/
        guard let match = heading.wholeMatch(of: numbered) else { return (nil, heading) }
        return (Int(match.output.1), String(match.output.2))
    }
}

import Foundation

/// A document with the section `## Status` changed as adr-tools changes it.
struct StatusText {
    private(set) var document: Document

    init(_ document: Document) {
        self.document = document
    }

    /// The first line without its first two characters.
    var title: String { String(document.lines.first?.text.dropFirst(2) ?? "") }

    mutating func add(_ label: String, _ title: String, _ file: String) {
        guard let body else { return }
        let text = "\(label) [\(title)](\(file))"
        if body.upperBound < document.lines.count {
            document.insert([text, ""], at: body.upperBound)
        } else {
            // adr-tools forgets the link where the section is the last.
            let isTight = document.lines.last?.isBlank == false
            document.insert((isTight ? [""] : []) + [text], at: body.upperBound)
        }
    }

    /// Takes the line off, and all blank lines in the section but the first of each run.
    mutating func remove(_ status: String) {
        guard let body else { return }
        var gone: Set<Int> = []
        var isAfterBlank = false
        for index in body {
            let line = document.lines[index]
            if line.isBlank {
                if isAfterBlank { gone.insert(index) }
                isAfterBlank = true
            } else if line.text == status {
                gone.insert(index)
            } else {
                isAfterBlank = false
            }
        }
        document.remove(gone)
    }

    /// The lines of the section that tell something.
    var lines: [String] {
        body.map { $0.map { document.lines[$0].text }.filter { !$0.allSatisfy(\.isWhitespace) } } ?? []
    }

    private var body: Range<Int>? {
        let texts = document.lines.map(\.text)
        guard let heading = texts.firstIndex(where: { $0.trimmingCharacters(in: .whitespaces) == "## Status" }) else {
            return nil
        }
        let end = texts[(heading + 1)...].firstIndex { $0.hasPrefix("##") } ?? texts.count
        return (heading + 1)..<end
    }
}

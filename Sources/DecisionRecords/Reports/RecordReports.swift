import Foundation

/// Records as tables, a table of contents, a graph, and JSON.
package struct RecordReports {
    private let folder: RecordFolder
    private let records: [Record]

    package init(_ folder: RecordFolder, _ records: [Record]) {
        self.folder = folder
        self.records = records
    }

    /// Columns that line up: number, status, date, title, tags.
    package var table: String {
        let rows = records.map { record in
            [
                record.number.map(RecordName.padded) ?? "-", record.status?.rawValue ?? "?", record.date ?? "-",
                record.title ?? record.name.stem, record.tags.map { "#\($0)" }.joined(separator: " "),
            ]
        }
        let widths = (0..<4).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column < 4 ? cell + String(repeating: " ", count: widths[column] - cell.count) : cell
            }
            return cells.joined(separator: "  ").replacing(/\s+$/, with: "")
        }.joined(separator: "\n")
    }

    package func tableOfContents(intro: String?, outro: String?, prefix: String) -> String {
        var parts = ["# Architecture Decision Records"]
        if let intro { parts.append(intro.trimmingCharacters(in: .newlines)) }
        let lines = records.map { "* " + MarkdownLink.text($0.heading, to: $0.path, prefix: prefix) }
        if !lines.isEmpty { parts.append(lines.joined(separator: "\n")) }
        if let outro { parts.append(outro.trimmingCharacters(in: .newlines)) }
        return parts.joined(separator: "\n\n")
    }

    /// For Graphviz: the order of the records dotted, their links with labels, what is superseded grey.
    package func graph(prefix: String, ending: String) -> String {
        var lines = ["digraph {", "  node [shape=plaintext];"]
        let names = Dictionary(
            uniqueKeysWithValues: records.enumerated().map { ($0.element.path, "_\($0.element.number ?? $0.offset)") })
        // Numbers that are there twice, or none at all, would fall together.
        let isUnique = Set(names.values).count == names.count && records.allSatisfy { $0.number != nil }
        let ids =
            isUnique
            ? names
            : Dictionary(uniqueKeysWithValues: records.enumerated().map { ($0.element.path, "r\($0.offset)") })
        for record in records {
            let stem = record.path.replacing(/\.[A-Za-z]+$/, with: "")
            let colour = record.status == .superseded || record.status == .rejected ? ", fontcolor=gray" : ""
            let label = DotGraph.escaped(record.heading)
            let url = DotGraph.escaped(prefix + stem + ending)
            lines.append("  \(ids[record.path] ?? "") [label=\"\(label)\", URL=\"\(url)\"\(colour)];")
        }
        for (before, record) in zip(records, records.dropFirst()) where before.folder == record.folder {
            lines.append("  \(ids[before.path] ?? "") -> \(ids[record.path] ?? "") [style=dotted, weight=1];")
        }
        for record in records {
            for relation in record.metadata.relations where !relation.label.lowercased().hasSuffix(" by") {
                guard let other = target(of: relation, in: record), let to = ids[other.path] else { continue }
                let label = DotGraph.escaped(relation.label)
                lines.append("  \(ids[record.path] ?? "") -> \(to) [label=\"\(label)\", weight=0];")
            }
        }
        return (lines + ["}"]).joined(separator: "\n")
    }

    package func json(withSections: Bool) throws -> String {
        try JSONText.of(
            records.map { record in
                Entry(
                    path: folder.shown(record), number: record.number, title: record.title,
                    status: record.status?.rawValue, statusText: record.metadata.statusText, date: record.date,
                    tags: record.tags,
                    links: record.metadata.relations.map { relation in
                        Entry.Link(label: relation.label, target: target(of: relation, in: record).map(folder.shown))
                    },
                    sections: withSections
                        ? record.sections.map {
                            Entry.Section(title: $0.title, body: $0.body.trimmingCharacters(in: .newlines))
                        } : nil)
            })
    }

    private func target(of relation: Relation, in record: Record) -> Record? {
        switch relation.target {
        case .number(let number): return records.first { $0.number == number && $0.folder == record.folder }
        case .file(let file):
            let path = String(Paths.absolute(file, from: "/" + record.folder).dropFirst())
            return records.first { $0.path == path }
        }
    }

    private struct Entry: Encodable {
        let path: String
        let number: Int?
        let title: String?
        let status: String?
        let statusText: String?
        let date: String?
        let tags: [String]
        let links: [Link]
        let sections: [Section]?

        struct Link: Encodable {
            let label: String
            let target: String?
        }
        struct Section: Encodable {
            let title: String
            let body: String
        }
    }
}

extension RecordFolder {
    /// Lines of records that have all the words in them, whatever their case.
    package func search(_ words: [String], in records: [Record]) -> [(record: Record, line: Int, text: String)] {
        records.flatMap { record -> [(record: Record, line: Int, text: String)] in
            let text = record.document.text.lowercased()
            guard words.allSatisfy({ text.contains($0.lowercased()) }) else { return [] }
            return record.document.lines.enumerated().compactMap { index, line in
                let low = line.text.lowercased()
                return words.contains { low.contains($0.lowercased()) } ? (record, index + 1, line.text) : nil
            }
        }
    }
}

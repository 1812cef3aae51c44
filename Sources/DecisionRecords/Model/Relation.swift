import Foundation

/// What a record says of another: `Amends [3. Third](0003-third.md)`, `superseded by ADR-0003`.
package struct Relation: Sendable, Hashable {
    package enum Target: Sendable, Hashable {
        /// From the folder that the record is in.
        case file(String)
        case number(Int)
    }

    package let label: String
    package let target: Target
    package let line: Int

    /// Whether the other one has to tell of this one: what a status says, or a word that is half of a pair.
    let isTwoSided: Bool

    package var supersedes: Bool { Self.ends(label, ["supersedes", "supercedes"]) }
    package var isSupersededBy: Bool { Self.ends(label, ["superseded by", "superceded by"]) }

    private static let pairs = ["supersed", "superced", "amend", "clarif", "extend", "replace"]

    private static func ends(_ label: String, _ endings: [String]) -> Bool {
        endings.contains(label.lowercased())
    }

    static func all(in line: Document.Line, line index: Int, mayBePlain: Bool) -> [Relation] {
        var relations: [Relation] = []
        var start = 0
        for link in MarkdownLink.all(in: line) {
            guard let file = link.file else { continue }
            let label = clause(before: line.bytes[start..<link.range.lowerBound])
            start = link.range.upperBound
            guard !label.isEmpty else { continue }
            let isTwoSided = mayBePlain || pairs.contains { label.lowercased().hasPrefix($0) }
            relations.append(Relation(label: label, target: .file(file), line: index, isTwoSided: isTwoSided))
        }
        guard relations.isEmpty, mayBePlain, let mention = Mention.all(in: line.bytes).first else { return relations }
        let words = clause(before: line.bytes[..<mention.digits.lowerBound])
        let label = words.split(separator: " ").dropLast().joined(separator: " ")
        guard !label.isEmpty else { return [] }
        return [Relation(label: label, target: .number(mention.number), line: index, isTwoSided: true)]
    }

    /// The last clause before the link, a status in front of it taken off.
    private static func clause(before bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        let clause = text.split(separator: /[.;]\s+/).last.map(String.init) ?? ""
        return clause.trimmingCharacters(in: CharacterSet(charactersIn: " \t-*_,:\"'#"))
    }
}

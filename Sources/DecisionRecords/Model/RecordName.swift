import Foundation

/// What the name of a record's file says: `0012-use-queues.md`, `ADR-0012-use-queues.md`, `20260103-use-queues.md`.
package struct RecordName: Sendable, Hashable {
    package let file: String
    package let number: Int?
    /// In ISO 8601, of a file that is named by its day as log4brains does it.
    package let date: String?
    package let slug: String

    /// Nil where the file is no record.
    package init?(file: String) {
        guard let match = file.wholeMatch(of: /(?i)(adr[-_ ]?)?([0-9]{1,18})([-_ .].*)?\.(md|markdown)/) else {
            return nil
        }
        self.file = file
        let digits = String(match.output.2)
        slug = String((match.output.3 ?? "").dropFirst())
        if match.output.1 == nil, let day = Self.day(digits) {
            (number, date) = (nil, day)
        } else {
            (number, date) = (Int(digits), nil)
        }
    }

    var stem: String { String(file.prefix(upTo: file.lastIndex(of: ".") ?? file.endIndex)) }

    /// Letters and digits of any script, in lower case, with a dash for all between.
    package static func slug(_ title: String) -> String {
        let words = title.lowercased().precomposedStringWithCanonicalMapping
            .split { !$0.isLetter && !$0.isNumber }.joined(separator: "-")
        var slug = ""
        // A file's name has 255 bytes in most file systems.
        for character in words where slug.utf8.count + character.utf8.count <= 200 { slug.append(character) }
        return slug.isEmpty ? "untitled" : slug
    }

    package static func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    private static func day(_ digits: String) -> String? {
        guard digits.count == 8, let year = Int(digits.prefix(4)), (1900...2999).contains(year),
            let month = Int(digits.dropFirst(4).prefix(2)), (1...12).contains(month),
            let day = Int(digits.suffix(2)), (1...31).contains(day)
        else { return nil }
        return "\(digits.prefix(4))-\(digits.dropFirst(4).prefix(2))-\(digits.suffix(2))"
    }
}

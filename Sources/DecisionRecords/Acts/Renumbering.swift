import Foundation

/// What a renumbering did.
package struct Renumbering: Sendable {
    /// From the folder that the command was called in.
    package let from: String
    package let to: String
    package let changed: [String]
    /// Mentions by number alone that can mean either of two records, as `path:line: text`.
    package let left: [String]
}

extension RecordFolder {
    /// Gives a record another number, and everything that names it with it: links, paths in code, mentions.
    ///
    /// Where another record keeps the old number, a mention by number alone can mean either. Then those change that
    /// stand on lines added since `since` (the branch that the collision came with), and the others are told.
    package func renumber(_ reference: String, to wanted: Int?, since: String? = nil) throws -> Renumbering {
        let lock = try FolderLock(path)
        defer { withExtendedLifetime(lock) {} }
        let records = try records()
        let record = try resolve(reference, in: records)
        guard let old = record.number else { throw RecordError("\(record.path) has no number") }
        let number = try wanted ?? nextNumber()
        guard number >= 0, number != old else { throw RecordError("\(record.path) has the number \(old) already") }
        if let other = records.first(where: { $0.folder == record.folder && $0.number == number }) {
            throw RecordError("\(other.path) has the number \(number) already")
        }
        guard records.count(where: { $0.name.file == record.name.file }) == 1 else {
            throw RecordError("another folder has a record \(record.name.file): rename one of the two by hand")
        }
        let file = record.name.file.replacing(/[0-9]+/, with: RecordName.padded(number), maxReplacements: 1)
        let newPath = record.folder.isEmpty ? file : "\(record.folder)/\(file)"
        var rewriting = Rewriting(
            record: record, file: file, number: number,
            isShared: records.contains { $0.number == old && $0.path != record.path })
        let git = try Git(around: path)
        if let since {
            guard let git else { throw RecordError("--since needs a git repository around the records") }
            rewriting.added = try git.added(since: since)
        }
        var changes: [(path: String, old: [UInt8], new: [UInt8])] = []
        for path in try filesToRead(git, records) where path != self.path(of: record) {
            let bytes = try Files.read(path)
            let new = rewriting.rewrite(Document(bytes), at: shownFromRoot(path, git))
            if new.bytes != bytes { changes.append((path, bytes, new.bytes)) }
        }
        let own = rewriting.rewrite(
            record.renumbered(to: number, path: newPath).document, at: shownFromRoot(path(of: record), git))
        try Files.move(
            path(of: record), to: "\(path)/\(newPath)", old: record.document.bytes, new: own.bytes)
        for change in changes { try Files.replace(change.path, change.old, by: change.new) }
        return Renumbering(
            from: shown(record), to: surroundings.shown("\(path)/\(newPath)"),
            changed: changes.map { surroundings.shown($0.path) }, left: rewriting.left)
    }

    private func shownFromRoot(_ path: String, _ git: Git?) -> String {
        guard let git else { return surroundings.shown(path) }
        return Paths.relative(URL(filePath: path).resolvingSymlinksInPath().path, to: git.root)
    }

    /// Whatever in the project may name a record; without git, the records alone.
    private func filesToRead(_ git: Git?, _ records: [Record]) throws -> [String] {
        let resolved = URL(filePath: path).resolvingSymlinksInPath().path
        guard let git, resolved == git.root || resolved.hasPrefix(git.root + "/") else {
            return records.map(path(of:))
        }
        let words = "\(Corpus.words)|[0-9]+-[^/ ]+\\.(md|markdown)"
        let found = Set(try git.lines(naming: words, in: nil).map { "\(git.root)/\($0.path)" })
        // git has paths without symbolic links; a record keeps the path that its folder was named by.
        let own = Dictionary(
            records.map { (URL(filePath: path(of: $0)).resolvingSymlinksInPath().path, path(of: $0)) },
            uniquingKeysWith: { one, _ in one })
        return found.union(own.keys).sorted().map { own[$0] ?? $0 }
    }
}

/// The rewriting of one text after another, for one record that gets another number.
private struct Rewriting {
    let record: Record
    let file: String
    let number: Int
    /// Whether another record has the old number too.
    let isShared: Bool
    var added: [String: Set<Int>?]?
    private(set) var left: [String] = []

    init(record: Record, file: String, number: Int, isShared: Bool) {
        (self.record, self.file, self.number, self.isShared) = (record, file, number, isShared)
    }

    mutating func rewrite(_ document: Document, at path: String) -> Document {
        var document = document
        for index in document.lines.indices {
            let line = document.lines[index]
            let mentions = mentions(in: line, at: path, index + 1)
            var bytes = line.bytes
            // From the end, so that what lies before keeps its place.
            for edit in (mentions + titles(in: line)).sorted(by: { $0.lowerBound > $1.lowerBound }) {
                let isPadded = bytes[edit.lowerBound] == UInt8(ascii: "0") && edit.count > 1
                let digits = isPadded ? RecordName.padded(number) : String(number)
                bytes.replaceSubrange(edit, with: Array(digits.utf8))
            }
            bytes = Self.replacing(Array(record.name.file.utf8), in: bytes, by: Array(file.utf8))
            if bytes != line.bytes { document.replace(index, withBytes: bytes) }
        }
        return document
    }

    /// The digits of mentions by number alone that mean this record.
    private mutating func mentions(in line: Document.Line, at path: String, _ number: Int) -> [Range<Int>] {
        let source = SourceLine(path: path, line: number, bytes: line.bytes)
        let found = Mention.all(in: line.bytes).filter { $0.number == record.number && ($0.isPlain || source.isProse) }
        guard !found.isEmpty else { return [] }
        let links = MarkdownLink.all(in: line)
        var digits: [Range<Int>] = []
        for mention in found {
            // The text of a link means what the link leads to; so does a path.
            if let link = links.first(where: { $0.range.overlaps(mention.digits) }) {
                let isText = mention.digits.upperBound <= link.targetRange.lowerBound
                if isText, leadsHere(link) { digits.append(mention.digits) }
            } else if line.bytes[mention.digits.upperBound...].first != UInt8(ascii: "-") {
                let isNew = added.flatMap { $0[path].map { $0?.contains(number) ?? true } } ?? false
                if !isShared || isNew {
                    digits.append(mention.digits)
                } else {
                    left.append("\(path):\(number): \(line.text.trimmingCharacters(in: .whitespaces))")
                }
            }
        }
        return digits
    }

    /// The digits that begin the text of a link: `[12. Use queues](0012-use-queues.md)`, `[ADR-0012](…)` aside.
    private func titles(in line: Document.Line) -> [Range<Int>] {
        MarkdownLink.all(in: line).filter(leadsHere).compactMap { link in
            let start = link.range.lowerBound + 1
            guard start < line.bytes.count else { return nil }
            let digits = line.bytes[start...].prefix { (0x30...0x39).contains($0) }
            guard let told = Int(String(decoding: digits, as: UTF8.self)), told == record.number else { return nil }
            let next = line.bytes.indices.contains(digits.endIndex) ? line.bytes[digits.endIndex] : 0
            return [UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "]")].contains(next) ? digits.indices : nil
        }
    }

    private func leadsHere(_ link: MarkdownLink) -> Bool {
        link.file?.split(separator: "/").last.map(String.init) == record.name.file
    }

    /// Where the old name stands alone, and is no part of a longer one.
    private static func replacing(_ old: [UInt8], in bytes: [UInt8], by new: [UInt8]) -> [UInt8] {
        guard bytes.count >= old.count else { return bytes }
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let isHere = bytes[index...].starts(with: old)
            if isHere, index == 0 || !isNamePart(bytes[index - 1]) {
                let end = index + old.count
                if end == bytes.count || !isNamePart(bytes[end]) {
                    result += new
                    index = end
                    continue
                }
            }
            result.append(bytes[index])
            index += 1
        }
        return result
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "_")
    }
}

import Foundation

extension RecordFolder {
    /// Moves a record on, where its life allows it. To be superseded, it has to be said by what.
    package func setStatus(of reference: String, to status: RecordStatus, by replacement: String? = nil) throws {
        let lock = try FolderLock(path)
        defer { withExtendedLifetime(lock) {} }
        var changes = Changes(try records())
        let record = try resolve(reference, in: changes.originals)
        guard (status == .superseded) == (replacement != nil) else {
            throw RecordError(
                replacement == nil
                    ? "say which record takes the place of \(record.label): --by RECORD"
                    : "--by goes with superseded alone")
        }
        guard let replacement else {
            let current = try Self.allow(record, status)
            let isCapital = record.metadata.statusText?.first { $0.isLetter }?.isUppercase ?? record.isSection
            let word = isCapital ? status.rawValue.capitalized : status.rawValue
            if current != status { try write(record.settingStatus(word), over: record) }
            return
        }
        let successor = try resolve(replacement, in: changes.originals)
        guard successor.path != record.path else { throw RecordError("\(record.label) can't supersede itself") }
        try changes.change(record.superseded(by: successor, in: self))
        changes.change(successor.adding(Wording(settings).supersedes, link(to: record, from: successor)))
        try changes.write(in: self)
    }

    /// Links two records, each to the other.
    package func link(_ source: String, _ label: String, _ target: String, _ reverse: String) throws {
        for text in [label, reverse] where text.allSatisfy(\.isWhitespace) || text.contains("\n") {
            throw RecordError("a link needs words on one line: adr link 12 Amends 10 \"Amended by\"")
        }
        let lock = try FolderLock(path)
        defer { withExtendedLifetime(lock) {} }
        var changes = Changes(try records())
        let one = try resolve(source, in: changes.originals)
        let other = try resolve(target, in: changes.originals)
        guard one.path != other.path else { throw RecordError("\(one.label) can't be linked to itself") }
        changes.change(one.adding(label, link(to: other, from: one)))
        changes.change(other.adding(reverse, link(to: one, from: other)))
        try changes.write(in: self)
    }

    /// The status that the record has now.
    @discardableResult
    static func allow(_ record: Record, _ status: RecordStatus) throws -> RecordStatus? {
        guard let current = record.status else {
            if let text = record.metadata.statusText, !text.isEmpty {
                throw RecordError("nobody knows the status `\(text)` of \(record.path): mend it by hand first")
            }
            return nil
        }
        if current == status, status != .superseded { return current }
        guard current.next.contains(status) else {
            let next = current.next.map(\.rawValue).joined(separator: ", ")
            throw RecordError(
                "\(record.label) is \(current.rawValue) and can't become \(status.rawValue), "
                    + (next.isEmpty ? "nor anything else: a new record takes it up again" : "only \(next)"))
        }
        return current
    }
}

extension Record {
    var isSection: Bool {
        if case .section = metadata.place { return true }
        return false
    }

    /// The same record, superseded: by link in a section, by name in front matter.
    func superseded(by successor: Record, in folder: RecordFolder) throws -> Record {
        try RecordFolder.allow(self, .superseded)
        switch metadata.place {
        case .section:
            let words = Wording(folder.settings).supersededBy
            return try settingStatus("\(words) \(folder.link(to: successor, from: self))")
        case .list:
            // log4brains takes a link whose text is the file's name without its ending, and no other.
            let target = MarkdownLink.escaped(folder.target(of: successor, from: self))
            return try settingStatus("superseded by [\(successor.name.stem)](\(target))")
        case .frontMatter, .none:
            let name = successor.number.map { "ADR-\(RecordName.padded($0))" } ?? successor.name.stem
            return try settingStatus("superseded by \(name)")
        }
    }

    /// The same record with these tags: in front matter, or in a line beside the date.
    func tagged(_ tags: [String]) throws -> Record {
        for tag in tags where tag.isEmpty || tag.contains(where: { $0.isWhitespace || ",[]\"'#:".contains($0) }) {
            throw RecordError("`\(tag)` is no tag: letters, digits and dashes")
        }
        var document = document
        if let matter = outline.frontMatter {
            document.insert(["tags: [\(tags.joined(separator: ", "))]"], at: matter.upperBound)
        } else if let line = document.lines.firstIndex(where: { $0.text.hasPrefix("Date:") }) {
            document.insert(["", "Tags: \(tags.joined(separator: ", "))"], at: line + 1)
        } else {
            document.insert(["", "Tags: \(tags.joined(separator: ", "))"], at: titleLine.map { $0 + 1 } ?? 0)
        }
        return with(document)
    }
}

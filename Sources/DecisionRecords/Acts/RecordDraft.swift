import Foundation

/// A record that is to be made, with what it supersedes and links to.
package struct RecordDraft: Sendable {
    package struct Link: Sendable, Hashable {
        package let target: String
        package let label: String
        package let reverse: String

        /// `TARGET:LINK:REVERSE-LINK`, as adr-tools has it.
        package init(_ text: String) throws {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces) }
            guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else {
                throw RecordError("`\(text)` is no link: write TARGET:LINK:REVERSE-LINK, as in \"3:Amends:Amended by\"")
            }
            (target, label, reverse) = (parts[0], parts[1], parts[2])
        }
    }

    package var title: String
    package var template: Template?
    package var status: RecordStatus?
    package var tags: [String] = []
    package var superseded: [String] = []
    package var links: [Link] = []

    package init(title: String) {
        self.title = title
    }
}

extension RecordFolder {
    /// Makes the record, tells those that it names, and answers its path from the folder of the records.
    ///
    /// All that can be wrong is looked at before anything is written.
    package func create(_ draft: RecordDraft) throws -> String {
        let title = draft.title.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        guard !title.isEmpty else { throw RecordError("a record needs a title: adr new TITLE") }
        let lock = try FolderLock(path)
        defer { withExtendedLifetime(lock) {} }
        let number = try nextNumber()
        let name = "\(RecordName.padded(number))-\(RecordName.slug(title)).md"
        guard var record = Record(path: name, bytes: Array(try text(of: draft, title, number).utf8)) else {
            throw RecordError("\(name) would be no record's name")
        }
        if !draft.tags.isEmpty { record = try record.tagged(draft.tags) }
        var changes = Changes(try records())
        for reference in draft.superseded {
            let old = try changes.current(resolve(reference, in: changes.originals))
            try changes.change(old.superseded(by: record, in: self))
            record = record.adding(Wording(settings).supersedes, link(to: old, from: record))
        }
        for wanted in draft.links {
            let other = try changes.current(resolve(wanted.target, in: changes.originals))
            changes.change(other.adding(wanted.reverse, link(to: record, from: other)))
            record = record.adding(wanted.label, link(to: other, from: record))
        }
        try Files.create(path(of: record), record.document.bytes)
        try changes.write(in: self)
        return record.path
    }

    private func text(of draft: RecordDraft, _ title: String, _ number: Int) throws -> String {
        let status = draft.status ?? settings.status
        guard status != .superseded else {
            throw RecordError("a new record can't be superseded: make it, and then one that supersedes it")
        }
        let own = "\(path)/templates/template.md"
        let template = draft.template ?? settings.template
        let isOwn = draft.template == nil && Files.isFile(own)
        let text = try isOwn ? String(decoding: Files.read(own), as: UTF8.self) : template.text
        let word = isOwn || template == .nygard ? status.rawValue.capitalized : status.rawValue
        return Template.fill(text, number: number, title: title, date: surroundings.today, status: word)
    }

    func link(to target: Record, from record: Record) -> String {
        MarkdownLink.text(target.heading, to: self.target(of: target, from: record))
    }
}

/// Records as they were and as they will be.
struct Changes {
    private(set) var originals: [Record]
    private var changed: [String: Record] = [:]

    init(_ originals: [Record]) {
        self.originals = originals
    }

    func current(_ record: Record) -> Record { changed[record.path] ?? record }

    mutating func change(_ record: Record) {
        changed[record.path] = record
    }

    func write(in folder: RecordFolder) throws {
        for original in originals {
            if let new = changed[original.path] { try folder.write(new, over: original) }
        }
    }
}

/// How relations are spelled: adr-tools' files keep its spelling, which its own commands look for.
struct Wording {
    let supersedes: String
    let supersededBy: String

    init(_ settings: Settings) {
        supersedes = settings.speaksAdrTools ? "Supercedes" : "Supersedes"
        supersededBy = settings.speaksAdrTools ? "Superceded by" : "Superseded by"
    }
}

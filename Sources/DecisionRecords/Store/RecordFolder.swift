import Foundation

/// A folder of records. It reads them afresh each time that it is asked.
package struct RecordFolder: Sendable {
    /// Absolute.
    package let path: String
    package let settings: Settings
    package let surroundings: Surroundings

    package init(path: String, surroundings: Surroundings) throws {
        self.path = surroundings.absolute(path)
        self.surroundings = surroundings
        let file = "\(self.path)/\(Settings.file)"
        guard Files.isFile(file) else {
            settings = Settings()
            return
        }
        let yaml = String(decoding: try Files.read(file), as: UTF8.self)
        settings = try Settings(yaml: yaml, path: surroundings.shown(file))
    }

    /// Where `.adr-dir` is looked for, and a folder by one of these names, in this folder and all above.
    package static let usual = ["doc/adr", "docs/adr", "docs/decisions", "doc/decisions"]

    /// Nil where there is none.
    package static func find(from surroundings: Surroundings, among names: [String] = usual) throws -> RecordFolder? {
        try search(from: surroundings, among: names).map { try RecordFolder(path: $0, surroundings: surroundings) }
    }

    static func search(from surroundings: Surroundings, among names: [String]) throws -> String? {
        var place = surroundings.folder
        while true {
            let marker = Paths.absolute(".adr-dir", from: place)
            if Files.isFile(marker) {
                let named = String(decoding: try Files.read(marker), as: UTF8.self)
                    .trimmingCharacters(in: .whitespacesAndNewlines)
                guard !named.isEmpty, !named.contains("\n") else {
                    throw RecordError("\(surroundings.shown(marker)) has to hold one line: the folder of the records")
                }
                return Paths.absolute(named, from: place)
            }
            for name in names {
                let folder = Paths.absolute(name, from: place)
                if Files.isFolder(folder) { return folder }
            }
            guard place != "/" else { return nil }
            place = Paths.parent(place)
        }
    }

    package static func required(from surroundings: Surroundings, named: String?) throws -> RecordFolder {
        if let named {
            guard Files.isFolder(surroundings.absolute(named)) else {
                throw RecordError("\(named) is no folder; `adr init \(named)` makes it")
            }
            return try RecordFolder(path: named, surroundings: surroundings)
        }
        guard let folder = try find(from: surroundings) else {
            throw RecordError(
                "no folder of records here or above (.adr-dir, \(usual.joined(separator: ", "))); `adr init` makes one")
        }
        guard Files.isFolder(folder.path) else {
            throw RecordError("\(surroundings.shown(folder.path)), which .adr-dir names, is no folder: make or mend it")
        }
        return folder
    }

    package func path(of record: Record) -> String { "\(path)/\(record.path)" }
    package func shown(_ record: Record) -> String { surroundings.shown(path(of: record)) }

    /// Every record here and in folders below, by number and then by path.
    package func records() throws -> [Record] {
        try names(below: "").compactMap { name in
            try Record(path: name, bytes: Files.read("\(path)/\(name)"))
        }.sorted(by: Self.order)
    }

    static func order(_ one: Record, _ other: Record) -> Bool {
        (one.folder, one.number ?? Int.max, one.path) < (other.folder, other.number ?? Int.max, other.path)
    }

    /// Folders behind symbolic links are not gone into, since they could lead back; files behind them are read.
    private func names(below folder: String) throws -> [String] {
        let place = folder.isEmpty ? path : "\(path)/\(folder)"
        guard let entries = try? FileManager.default.contentsOfDirectory(atPath: place) else {
            throw RecordError("the folder \(surroundings.shown(place)) can't be read")
        }
        return try entries.sorted().flatMap { entry -> [String] in
            guard !entry.hasPrefix("."), entry != "templates" else { return [] }
            let name = folder.isEmpty ? entry : "\(folder)/\(entry)"
            let whole = "\(path)/\(name)"
            if Files.isFile(whole) { return RecordName(file: entry) == nil ? [] : [name] }
            let isLink = (try? FileManager.default.destinationOfSymbolicLink(atPath: whole)) != nil
            guard !isLink, Files.isFolder(whole) else { return [] }
            return try names(below: name)
        }
    }

    /// One more than the highest in this folder, whether that is a record or not.
    func nextNumber() throws -> Int {
        guard Files.isFolder(path) else { return 1 }
        guard let entries = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw RecordError("the folder \(surroundings.shown(path)) can't be read")
        }
        let numbers = entries.compactMap { entry -> Int? in
            if let name = RecordName(file: entry) { return name.number }
            return Int(entry.prefix { $0.isASCII && $0.isNumber }.prefix(18))
        }
        return (numbers.max() ?? 0) + 1
    }

    /// The one record that a number, a path or a part of a file's name stands for.
    package func resolve(_ reference: String, in records: [Record]) throws -> Record {
        let text = reference.trimmingCharacters(in: .whitespaces)
        guard !text.isEmpty else { throw RecordError("which record? Name its number, or a part of its file's name") }
        let absolute = surroundings.absolute(text)
        var found = records.filter { path(of: $0) == absolute || $0.path == text }
        let numbered = /(?i)(?:adr)?[-# ]?([0-9]{1,18})/
        if found.isEmpty, let match = text.wholeMatch(of: numbered), let number = Int(match.1) {
            found = records.filter { $0.number == number }
            // Eight digits can be a day.
            if found.isEmpty { found = records.filter { $0.name.date != nil && $0.name.file.hasPrefix(match.1) } }
        } else if found.isEmpty {
            found = records.filter { $0.path.lowercased().contains(text.lowercased()) }
        }
        if found.count > 1 {
            let paths = found.map(\.path).joined(separator: ", ")
            throw RecordError("\(text) can be any of \(paths): name the file")
        }
        guard let only = found.first else {
            throw RecordError("there is no record \(text) in \(surroundings.shown(path)); `adr list` shows them")
        }
        return only
    }

    func write(_ changed: Record, over old: Record) throws {
        try Files.replace(path(of: old), old.document.bytes, by: changed.document.bytes)
    }

    /// A link's target, from one record to another.
    func target(of record: Record, from other: Record) -> String {
        Paths.relative("/" + record.path, to: "/" + other.folder)
    }
}

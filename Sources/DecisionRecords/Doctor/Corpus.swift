import Foundation

/// The records and what speaks of them: as they lie here, or as a merge would leave them.
struct Corpus {
    let records: [Record]
    /// The records' folder from the root of the project; empty where it is the root.
    let folder: String
    /// Lines anywhere in the project that may name a record.
    let lines: [SourceLine]
    /// Whether a path from the root of the project is there.
    let exists: (String) -> Bool

    static let words = "(adrs?|records?)[ #-]{0,2}[0-9]"

    init(_ folder: RecordFolder, git: Git?) throws {
        records = try folder.records()
        let root = git?.root ?? folder.path
        let path = URL(filePath: folder.path).resolvingSymlinksInPath().path
        let place = path == root ? "" : Paths.relative(path, to: root)
        self.folder = place
        exists = { FileManager.default.fileExists(atPath: Paths.absolute($0, from: root)) }
        if let git, !place.hasPrefix("..") {
            lines = try git.lines(naming: Self.words, in: nil)
        } else {
            lines = records.flatMap { record in
                record.document.lines.enumerated().map {
                    SourceLine(path: Self.join(place, record.path), line: $0.offset + 1, bytes: $0.element.bytes)
                }
            }
        }
    }

    /// As a merge of HEAD with another commit would have it.
    init(_ folder: RecordFolder, git: Git, mergedWith other: String) throws {
        let tree = try git.mergedTree(with: other)
        let files = try git.files(in: tree)
        let path = URL(filePath: folder.path).resolvingSymlinksInPath().path
        let place = path == git.root ? "" : Paths.relative(path, to: git.root)
        self.folder = place
        let prefix = place.isEmpty ? "" : place + "/"
        records = try files.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).hasPrefix("templates/") }
            .compactMap { file in
                let name = String(file.dropFirst(prefix.count))
                let parts = name.split(separator: "/")
                guard let last = parts.last, RecordName(file: String(last)) != nil,
                    !parts.contains(where: { $0.hasPrefix(".") || $0 == "templates" })
                else { return nil }
                let bytes = try git.demand(["cat-file", "blob", "\(tree):\(file)"], "read \(file)")
                return Record(path: name, bytes: bytes)
            }.sorted(by: RecordFolder.order)
        lines = try git.lines(naming: Self.words, in: tree)
        var known = Set(files)
        for file in files {
            var parent = file
            while let slash = parent.lastIndex(of: "/") {
                parent = String(parent[..<slash])
                guard known.insert(parent).inserted else { break }
            }
        }
        exists = { [known] in known.contains($0) || $0.hasPrefix("..") || $0 == "." }
    }

    func path(of record: Record) -> String { Self.join(folder, record.path) }

    private static func join(_ folder: String, _ path: String) -> String {
        folder.isEmpty ? path : "\(folder)/\(path)"
    }

    /// The record that a link in another leads to.
    func record(_ file: String, from record: Record) -> Record? {
        let path = String(Paths.absolute(file, from: "/" + record.folder).dropFirst())
        return records.first { $0.path == path }
    }

    func record(_ target: Relation.Target, from record: Record) -> Record? {
        switch target {
        case .file(let file): self.record(file, from: record)
        case .number(let number):
            records.first { $0.number == number && $0.folder == record.folder } ?? records.first { $0.number == number }
        }
    }
}

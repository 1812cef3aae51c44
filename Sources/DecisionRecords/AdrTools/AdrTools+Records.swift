import Foundation

extension AdrTools {
    func initialise(_ arguments: [String]) throws {
        if let folder = arguments.first, !folder.isEmpty {
            try Files.makeFolder(surroundings.absolute(folder))
            let marker = surroundings.absolute(".adr-dir")
            let text = Array("\(folder)\n".utf8)
            if Files.isFile(marker) {
                try Files.replace(marker, Files.read(marker), by: text)
            } else {
                try Files.create(marker, text)
            }
        }
        let (shown, path) = try folder()
        try Files.makeFolder(path)
        let lock = try FolderLock(path)
        defer { withExtendedLifetime(lock) {} }
        let number = try nextNumber(path)
        // Whatever number it gets, adr-tools' first record says 1 in its title.
        let text = Template.fill(
            Template.firstText, number: 1, title: "", date: surroundings.today, status: "Accepted")
        let name = "\(RecordName.padded(number))-record-architecture-decisions.md"
        try Files.create("\(path)/\(name)", Array(text.utf8))
        print("\(shown)/\(name)")
    }

    func new(_ arguments: [String]) throws {
        var options = ShortOptions(arguments, taking: "sl")
        var superseded: [String] = []
        var links: [RecordDraft.Link] = []
        while let (option, value) = try options.next() {
            if option == "s" { superseded.append(value) } else { links.append(try RecordDraft.Link(value)) }
        }
        let title = options.rest.joined(separator: " ")
        guard !title.isEmpty else { throw Refusal(text: "ERROR: no title given") }
        guard !title.contains("\n") else { throw RecordError("a title is one line") }
        let (shown, path) = try folder()
        let name = try write(title, superseded: superseded, links: links, in: path)
        try surroundings.edit("\(shown)/\(name)")
        print("\(shown)/\(name)")
    }

    /// The lock is gone when the editor opens, which can take all day.
    private func write(
        _ title: String, superseded: [String], links: [RecordDraft.Link], in path: String
    ) throws -> String {
        let template = try template(path)
        try Files.makeFolder(path)
        let lock = try FolderLock(path)
        defer { withExtendedLifetime(lock) {} }
        let number = try nextNumber(path)
        let name = "\(RecordName.padded(number))-\(Self.slug(title)).md"
        let text = Template.fill(
            template, number: number, title: title, date: surroundings.today, status: "Accepted")
        var new = StatusText(Document(text))
        var others: [String: (old: [UInt8], new: StatusText)] = [:]
        func change(_ reference: String, _ change: (inout StatusText) -> Void) throws -> (String, String) {
            let file = try find(reference)
            let known = others[file]
            let old = try known?.old ?? Files.read(file)
            var text = known?.new ?? StatusText(Document(old))
            change(&text)
            others[file] = (old, text)
            return (text.title, file.split(separator: "/").last.map(String.init) ?? file)
        }
        for reference in superseded {
            let (old, file) = try change(reference) {
                $0.add("Superceded by", new.title, name)
                $0.remove("Accepted")
            }
            new.add("Supercedes", old, file)
        }
        for link in links {
            let (old, file) = try change(link.target) { $0.add(link.reverse, new.title, name) }
            new.add(link.label, old, file)
        }
        try Files.create("\(path)/\(name)", new.document.bytes)
        for (file, entry) in others { try Files.replace(file, entry.old, by: entry.new.document.bytes) }
        return name
    }

    func link(_ arguments: [String]) throws {
        guard arguments.count >= 4, !arguments.prefix(4).contains("") else {
            throw RecordError("a link needs four words: adr link SOURCE LINK TARGET REVERSE-LINK")
        }
        let (_, path) = try folder()
        guard Files.isFolder(path) else { throw RecordError("there is no folder \(surroundings.shown(path))") }
        let lock = try FolderLock(path)
        defer { withExtendedLifetime(lock) {} }
        let source = try find(arguments[0])
        let target = try find(arguments[2])
        guard source != target else { throw RecordError("a record can't be linked to itself") }
        let (one, other) = (try Files.read(source), try Files.read(target))
        var (from, to) = (StatusText(Document(one)), StatusText(Document(other)))
        from.add(arguments[1], to.title, String(target.dropFirst(path.count + 1)))
        to.add(arguments[3], from.title, String(source.dropFirst(path.count + 1)))
        try Files.replace(source, one, by: from.document.bytes)
        try Files.replace(target, other, by: to.document.bytes)
    }

    private func template(_ path: String) throws -> String {
        let own = "\(path)/templates/template.md"
        if let named = surroundings.variable("ADR_TEMPLATE") {
            return String(decoding: try Files.read(surroundings.absolute(named)), as: UTF8.self)
        }
        guard Files.isFile(own) else { return Template.nygardText }
        return String(decoding: try Files.read(own), as: UTF8.self)
    }

    private func nextNumber(_ path: String) throws -> Int {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        let numbers = entries.compactMap { Int($0.prefix { $0.isASCII && $0.isNumber }.prefix(18)) }
        return (numbers.max() ?? 0) + 1
    }

    /// Latin letters and digits alone, as in adr-tools.
    static func slug(_ title: String) -> String {
        title.utf8.split { byte in
            !((0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20))
        }.map { String(decoding: $0.map { $0 < 0x40 ? $0 : $0 | 0x20 }, as: UTF8.self) }.joined(separator: "-")
    }
}

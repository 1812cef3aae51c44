import Foundation

extension RecordFolder {
    /// Makes a folder of records with its first record in it, and `.adr-dir` where nobody would look for it otherwise.
    package static func begin(
        in named: String?, template: Template? = nil, from surroundings: Surroundings
    ) throws -> (folder: RecordFolder, record: String?) {
        let folder = named ?? "docs/adr"
        guard !folder.contains("\n"), !folder.isEmpty else { throw RecordError("the folder's name is a line of text") }
        let path = surroundings.absolute(folder)
        let marker = surroundings.absolute(".adr-dir")
        if Files.isFile(marker) {
            let known = try search(from: surroundings, among: [])
            guard known == path else {
                throw RecordError(".adr-dir names another folder already: \(known.map(surroundings.shown) ?? "none")")
            }
        }
        try Files.makeFolder(path)
        if !usual.contains(folder), !Files.isFile(marker) {
            try Files.create(marker, Array("\(folder)\n".utf8))
        }
        if let template, template != .nygard {
            let settings = "\(path)/\(Settings.file)"
            guard !Files.isFile(settings) else {
                throw RecordError("\(surroundings.shown(settings)) is there already: set the template in it")
            }
            try Files.create(settings, Array("template: \(template.rawValue)\n".utf8))
        }
        let made = try RecordFolder(path: path, surroundings: surroundings)
        // A folder with records is taken on as it is.
        guard try made.records().isEmpty else { return (made, nil) }
        let text = Template.fill(
            Template.firstText, number: 1, title: "", date: surroundings.today, status: "Accepted")
        let name = "\(RecordName.padded(1))-record-architecture-decisions.md"
        try Files.create("\(path)/\(name)", Array(text.utf8))
        return (made, name)
    }
}

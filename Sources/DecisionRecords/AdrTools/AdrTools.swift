import Foundation

/// Speaks as adr-tools by Nat Pryce does: its commands, what they print and what they write, in words of our own where
/// it only explains.
package struct AdrTools {
    package static let commands = ["config", "generate", "help", "init", "link", "list", "new", "upgrade-repository"]

    let surroundings: Surroundings
    let program: String
    let print: (String) -> Void
    let complain: (String) -> Void

    package init(
        surroundings: Surroundings, program: String, print: @escaping (String) -> Void,
        complain: @escaping (String) -> Void
    ) {
        self.surroundings = surroundings
        self.program = program
        self.print = print
        self.complain = complain
    }

    /// The answer is the exit code: 1 for what adr-tools refuses itself, 2 for what it would stumble over.
    package func run(_ arguments: [String]) -> Int32 {
        do {
            let rest = Array(arguments.dropFirst())
            switch arguments.first {
            case "init": try initialise(rest)
            case "new": try new(rest)
            case "list": try lines().forEach(print)
            case "link": try link(rest)
            case "generate": try generate(rest)
            case "config": config()
            case "upgrade-repository": try upgrade()
            case "help": help(rest)
            default:
                help([])
                return 1
            }
            return 0
        } catch let refusal as Refusal {
            print(refusal.text)
            return 1
        } catch {
            complain("ERROR: \(error)")
            return 2
        }
    }

    /// What adr-tools itself answers on its standard output, with exit code 1.
    struct Refusal: Error {
        let text: String
    }

    // MARK: The folder

    /// As it is written from here, and as it is.
    func folder() throws -> (shown: String, path: String) {
        let path = try RecordFolder.search(from: surroundings, among: ["doc/adr"]) ?? surroundings.absolute("doc/adr")
        return (surroundings.shown(path), path)
    }

    /// The records' paths from here, in the order of their names.
    func lines() throws -> [String] {
        let (shown, path) = try folder()
        guard Files.isFolder(path) else { throw Refusal(text: "The \(shown) directory does not exist") }
        return try names(path).map { "\(shown)/\($0)" }
    }

    func names(_ path: String) throws -> [String] {
        guard let entries = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw RecordError("the folder \(surroundings.shown(path)) can't be read")
        }
        return entries.filter { $0.firstMatch(of: /^[0-9]+-.*\.md/) != nil }
            .sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    /// A number is that number, where adr-tools takes the first path that has those digits in it.
    func find(_ reference: String) throws -> String {
        let (shown, path) = try folder()
        let names = Files.isFolder(path) ? try names(path) : []
        let base = reference.split(separator: "/").last.map(String.init) ?? reference
        if let number = Int(reference) {
            if let name = names.first(where: { Int($0.prefix { $0.isNumber }) == number }) { return "\(path)/\(name)" }
        } else if !base.isEmpty {
            let found = names.first { $0 == base } ?? names.first { $0.contains(base) }
            if let found { return "\(path)/\(found)" }
        }
        throw RecordError("there is no record \(reference) in \(shown)")
    }

    // MARK: Reports about the program

    private func config() {
        let folder = Paths.parent(surroundings.absolute(program))
        print("adr_bin_dir=\"\(folder)\"")
        print("adr_template_dir=\"\(folder)\"")
    }

    private func upgrade() throws {
        for line in try lines() {
            let path = surroundings.absolute(line)
            let old = try Files.read(path)
            var document = Document(old)
            for index in document.lines.indices {
                let text = document.lines[index].text
                guard let match = text.firstMatch(of: /Date: ([0-9]{2})\/([0-9]{2})\/([0-9]{4})/) else { continue }
                let date = "Date: \(match.3)-\(match.2)-\(match.1)"
                document.replace(index, with: text.replacingCharacters(in: match.range, with: date))
            }
            try Files.replace(path, old, by: document.bytes)
        }
    }
}

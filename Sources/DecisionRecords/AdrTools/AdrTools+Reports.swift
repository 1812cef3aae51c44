import Foundation

extension AdrTools {
    func generate(_ arguments: [String]) throws {
        let rest = Array(arguments.dropFirst())
        switch arguments.first {
        case nil, "": ["graph", "toc"].forEach(print)
        case "toc": try toc(rest)
        case "graph": try graph(rest)
        case let other?: throw RecordError("there is no report \(other): graph, toc")
        }
    }

    private func toc(_ arguments: [String]) throws {
        var options = ShortOptions(arguments, taking: "iop")
        var values: [Character: String] = [:]
        while let (option, value) = try options.next() { values[option] = value }
        // Read before anything is printed, so that a wrong name leaves no half a table.
        let intro = try values["i"].map { try text($0) }
        let outro = try values["o"].map { try text($0) }
        let records = try records()
        print("# Architecture Decision Records\n")
        if let intro { print(intro + "\n") }
        for record in records { print("* [\(record.text.title)](\(values["p"] ?? "")\(record.name))") }
        if let outro { print("\n" + outro) }
    }

    private func graph(_ arguments: [String]) throws {
        var options = ShortOptions(arguments, taking: "ep")
        var values: [Character: String] = ["e": ".html", "p": ""]
        while let (option, value) = try options.next() { values[option] = value }
        let records = try records()
        let (prefix, ending) = (values["p"] ?? "", values["e"] ?? "")
        print("digraph {\n  node [shape=plaintext];\n  subgraph {")
        for record in records {
            let stem = record.name.hasSuffix(".md") ? String(record.name.dropLast(3)) : record.name
            let title = DotGraph.escaped(record.text.title)
            let url = DotGraph.escaped(prefix + stem + ending)
            print("    _\(record.number) [label=\"\(title)\"; URL=\"\(url)\"];")
            if record.number > 1 {
                print("    _\(record.number - 1) -> _\(record.number) [style=\"dotted\", weight=1];")
            }
        }
        print("  }")
        for record in records {
            for line in record.text.lines {
                guard let match = line.wholeMatch(of: /(.+) \[.*\]\(0*([1-9][0-9]*).*\).*/),
                    !match.output.1.hasSuffix(" by")
                else { continue }
                let label = DotGraph.escaped(String(match.output.1))
                print("  _\(record.number) -> _\(match.output.2) [label=\"\(label)\", weight=0]")
            }
        }
        print("}")
    }

    private func records() throws -> [(name: String, number: Int, text: StatusText)] {
        try lines().map { line in
            let name = line.split(separator: "/").last.map(String.init) ?? line
            let bytes = try Files.read(surroundings.absolute(line))
            return (name, Int(name.prefix { $0.isNumber }) ?? 0, StatusText(Document(bytes)))
        }
    }

    private func text(_ path: String) throws -> String {
        let text = String(decoding: try Files.read(surroundings.absolute(path)), as: UTF8.self)
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    /// Completes the words of a command line; the first of them is the program's name.
    package func complete(_ words: [String]) {
        func tell(_ known: [String], _ begun: String) -> Bool {
            let fitting = known.filter { $0.hasPrefix(begun) }
            // Where nothing fits, adr-tools prints an empty line.
            guard fitting.first ?? "" != begun else { return false }
            print(fitting.joined(separator: " "))
            return true
        }
        let command = words.count > 1 ? words[1] : ""
        if words.count <= 2, tell(Self.commands, command) { return }
        let below = ["generate": ["graph", "toc"], "help": ["new"]][command] ?? []
        if !below.isEmpty { _ = tell(below, words.count > 2 ? words[2] : "") }
    }

    func help(_ words: [String]) {
        print(HelpText.of(words))
    }
}

import ArgumentParser
import DecisionRecords
import Foundation

extension Adr {
    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints what is made of the records.", subcommands: [Toc.self, Graph.self, JSON.self])
    }
}

extension Adr.Generate {
    struct Toc: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "A table of contents in Markdown.")

        @OptionGroup var place: Place
        @OptionGroup var choice: Choice
        @Option(name: .shortAndLong, help: "A file of Markdown that goes before it.")
        var intro: String?
        @Option(name: .shortAndLong, help: "A file of Markdown that comes after it.")
        var outro: String?
        @Option(name: .shortAndLong, help: "What each link begins with.")
        var prefix = ""

        func run() throws {
            let folder = try place.open()
            let reports = RecordReports(folder, try choice.of(folder))
            Terminal.say(try reports.tableOfContents(intro: text(intro), outro: text(outro), prefix: prefix))
        }

        private func text(_ path: String?) throws -> String? {
            guard let path else { return nil }
            guard let data = FileManager.default.contents(atPath: path) else {
                throw RecordError("the file \(path) can't be read")
            }
            return String(decoding: data, as: UTF8.self)
        }
    }

    struct Graph: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The records and their links for Graphviz: adr generate graph | dot -Tsvg > graph.svg")

        @OptionGroup var place: Place
        @OptionGroup var choice: Choice
        @Option(name: .shortAndLong, help: "What each link begins with.")
        var prefix = ""
        @Option(name: .shortAndLong, help: "What each link ends with.")
        var `extension` = ".html"

        func run() throws {
            let folder = try place.open()
            let reports = RecordReports(folder, try choice.of(folder))
            Terminal.say(reports.graph(prefix: prefix, ending: `extension`))
        }
    }

    struct JSON: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "json", abstract: "Everything that the records say, section by section.")

        @OptionGroup var place: Place
        @OptionGroup var choice: Choice

        func run() throws {
            let folder = try place.open()
            Terminal.say(try RecordReports(folder, try choice.of(folder)).json(withSections: true))
        }
    }
}

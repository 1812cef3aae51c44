import ArgumentParser
import EventSchemas
import Foundation

struct Schemas: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks after the published language: schemas/events and what is made from it.",
        subcommands: [
            SchemasGenerate.self, SchemasCatalogue.self, SchemasCheck.self, Rules.self, SchemasRegister.self,
        ])

    struct Rules: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints the rules that `check` judges by.")

        @Flag(help: "As the page docs/schema-rules.md.")
        var page = false

        func run() async throws {
            if page {
                print(RuleText.page, terminator: "")
            } else {
                for line in RuleText.lines { print(line) }
            }
        }
    }
}

extension CompatibilityMode: ExpressibleByArgument {
    /// In any case, and with hyphens as well.
    package init?(argument: String) { self.init(rawValue: argument.uppercased().replacing("-", with: "_")) }

    package static var allValueStrings: [String] { allCases.map(\.rawValue) }
}

extension CompatibilityPolicy: ExpressibleByArgument {
    package init?(argument: String) { self.init(rawValue: argument.uppercased()) }

    package static var allValueStrings: [String] { allCases.map(\.rawValue) }
}

/// Where the command works.
struct ProjectFolder: ParsableArguments {
    @Option(help: "The project's folder, which holds `schemas` and `Modules`.")
    var project = "."

    var url: URL { URL(filePath: project, directoryHint: .isDirectory) }
    var eventSchemas: URL { url.appending(path: "schemas/events", directoryHint: .isDirectory) }
}

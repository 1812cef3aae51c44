import ArgumentParser
import Foundation

struct Schemas: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks after the published language: schemas/events and what is made from it.",
        subcommands: [SchemasGenerate.self, SchemasCatalogue.self])
}

/// Where the command works.
struct ProjectFolder: ParsableArguments {
    @Option(help: "The project's folder, which holds `schemas` and `Modules`.")
    var project = "."

    var url: URL { URL(filePath: project, directoryHint: .isDirectory) }
    var eventSchemas: URL { url.appending(path: "schemas/events", directoryHint: .isDirectory) }
}

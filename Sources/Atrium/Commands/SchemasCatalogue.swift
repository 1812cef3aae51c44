import ArgumentParser
import EventLanguage
import Foundation
import Kernel
import Logging
import Messaging
import Postgres
import Tenancy

struct SchemasCatalogue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalogue",
        abstract: "Writes docs/events: who publishes what, who reacts to it, and AsyncAPI for programs.")

    @OptionGroup var folder: ProjectFolder
    @Flag(help: "Write nothing; end with 1 where a page is not current.")
    var check = false

    func run() async throws {
        let catalogue = try Self.catalogue(folder)
        let documents = folder.url.appending(path: "docs/events", directoryHint: .isDirectory)
        if check {
            let differences = catalogue.differences(in: documents)
            for difference in differences { print("docs/events/\(difference)") }
            guard differences.isEmpty else {
                print("Run: atrium schemas catalogue")
                throw ExitCode(1)
            }
            print("\(catalogue.files.count) files are current")
        } else {
            let changed = try catalogue.write(in: documents)
            for name in changed { print("docs/events/\(name)") }
            print("\(changed.count) of \(catalogue.files.count) files changed")
        }
    }

    /// What the modules of this very program declare; put together as for serving, but nothing is connected to.
    static func catalogue(_ folder: ProjectFolder) throws -> EventCatalogue {
        let configuration = ServerConfiguration(
            servers: [
                ServerSettings(
                    name: ServerConfiguration.home,
                    primary: try ConnectionSettings("postgresql://nobody@localhost/nothing"),
                    replicas: [], provisioner: nil)
            ],
            kafka: "localhost:1", operatorKey: "", secret: Array(repeating: 0, count: 32),
            schemas: folder.url.appending(path: "schemas", directoryHint: .isDirectory))
        let logger = Logger(label: "atrium.schemas") { _ in SwiftLogNoOpLogHandler() }
        let modules = try Modules(
            configuration, DataServices(configuration, poolMaximum: 1, logger: logger), logger: logger)
        return try EventCatalogue(
            schemas: EventSchema.all(below: folder.eventSchemas),
            published: modules.loaded.flatMap { $0.published.map { $0.type } },
            reactions: modules.loaded.flatMap { module in
                module.subscriptions.map {
                    EventCatalogue.Reaction(context: module.context.schema, name: $0.reaction, types: $0.types)
                }
            })
    }
}

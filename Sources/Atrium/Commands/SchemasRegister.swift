import ArgumentParser
import EventSchemas
import Foundation
import Kernel

struct SchemasRegister: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "register", abstract: "Registers every schema with a Confluent-compatible registry.",
        discussion: """
            The subject of a schema is <topic>-<type>, such as orders.order-orders.order.placed.v1, so that each version of \
            a fact has a subject of its own and stays compatible within it. What is there already stays as it is. \
            Credentials come from ATRIUM_REGISTRY_USER and ATRIUM_REGISTRY_PASSWORD. Ends with 1 where the registry refuses.
            """)

    @Option(help: "Where it is: http://host:8081.")
    var registry: String
    @Option(help: "The folder schemas.")
    var folder: String?
    @Flag(help: "Only ask what would happen.")
    var dryRun = false

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let schemas = try await SchemaSources(folder: folder).current().schemas
        let registry = try SchemaRegistry(
            registry, user: environment["ATRIUM_REGISTRY_USER"], password: environment["ATRIUM_REGISTRY_PASSWORD"])
        var refused = 0
        for (path, schema) in schemas.sorted(by: { $0.key < $1.key }) {
            guard let fact = FactVersion(path: path) else {
                throw ValidationError("events/\(path) is not <context>/<aggregate>.<fact>.v<N>.json")
            }
            let text = schema.root.description
            let subject = Self.subject(of: fact)
            if let there = try await registry.find(text, in: subject) {
                TenantsTools.printRow([subject, "unchanged", "id \(there.id)", "version \(there.version)"])
            } else if dryRun {
                let objections = try await registry.objections(to: text, in: subject)
                refused += objections.isEmpty ? 0 : 1
                TenantsTools.printRow(
                    [subject, objections.isEmpty ? "would be registered" : "would be refused"] + objections)
            } else {
                do {
                    TenantsTools.printRow([
                        subject, "registered", "id \(try await registry.register(text, in: subject))",
                    ])
                } catch let refusal as SchemaRegistry.Refusal {
                    refused += 1
                    TenantsTools.printRow([subject, "refused", refusal.description])
                }
            }
        }
        if refused > 0 { throw ExitCode(1) }
    }

    static func subject(of fact: FactVersion) -> String {
        let aggregate = fact.fact.prefix { $0 != "." }
        return "\(fact.context).\(aggregate)-\(fact)"
    }
}

import ArgumentParser
import Foundation
import Kafka
import Kernel
import Tenancy

struct Manifest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks after the manifest of tenant data.", subcommands: [Check.self])

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compares schemas/tenant-data-manifest.yaml with what is in every database and on the broker.",
            discussion: "Ends with 1 where they differ.")

        @Option(help: "A JSON file with settings.")
        var config: String?
        @Flag(name: .customLong("no-topics"), help: "Leave the broker alone.")
        var withoutTopics = false
        @Flag(help: "Print the findings as JSON.")
        var json = false

        func run() async throws {
            try await TenantsTools.with(config) { tools in
                let manifest = try TenantDataManifest(
                    contentsOf: tools.configuration.schemas.appending(path: TenantDataManifest.fileName))
                let topics = withoutTopics ? nil : try await topics(tools)
                let report = try await ManifestCheck(manifest, plane: tools.data.plane, logger: tools.logger)
                    .run(topics: topics)
                if json {
                    print(report.json)
                } else {
                    for finding in report.findings { TenantsTools.printRow([finding.description]) }
                    print(summary(report))
                }
                if !report.findings.isEmpty { throw ExitCode(1) }
            }
        }

        private func topics(_ tools: TenantsTools) async throws -> [String] {
            var settings = KafkaSettings(bootstrapServers: tools.configuration.kafka)
            settings.properties = tools.configuration.kafkaProperties
            let admin = try KafkaAdmin(settings, logger: tools.logger)
            do {
                let topics = try await admin.topics().map(\.name)
                await admin.close()
                return topics
            } catch {
                await admin.close()
                throw BrokerUnreachable(broker: tools.configuration.kafka, reason: "\(error)")
            }
        }

        private func summary(_ report: ManifestReport) -> String {
            let looked = "looked at \(report.tables) tables in \(report.databases) databases"
            let topics = report.topics.map { " and \($0) topics" } ?? "; topics were skipped (--no-topics)"
            let differences =
                switch report.findings.count {
                case 0: "no difference"
                case 1: "1 difference"
                default: "\(report.findings.count) differences"
                }
            return "\(differences); \(looked)\(topics)"
        }
    }
}

/// The broker did not say which topics it has.
struct BrokerUnreachable: Error, CustomStringConvertible {
    let broker: String
    let reason: String

    var description: String {
        """
        Kafka at \(broker) can't be asked for its topics: \(reason)
        Correct ATRIUM_KAFKA_BOOTSTRAP_SERVERS, or leave topics out with --no-topics.
        """
    }
}

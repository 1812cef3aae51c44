import ArgumentParser
import Foundation
import Tenancy

extension Migrate {
    struct Lint: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuses files that would hold up or break others on a large table that is in use.",
            discussion: """
                Needs no database. A comment on the line before a statement allows what has a reason: \
                -- lint: allow <rule> because <reason>. Ends with 1 where something is refused.
                """)

        @Option(help: "A JSON file with settings.")
        var config: String?

        @Flag(help: "Lists the rules.")
        var rules = false

        @Argument(help: "Only these of the files under schemas/sql, such as orders/0002_notes.sql.")
        var files: [String] = []

        func run() async throws {
            if rules {
                for rule in LintRule.allCases { print("\(rule.rawValue)\t\(rule.advice.why)\t\(rule.advice.instead)") }
                return
            }
            var settings = SettingsReader(try await ServerConfiguration.reader(file: config))
            guard let schemas = settings.folder("schemas") else { throw ConfigurationMistakes(settings.mistakes) }
            let known = try MigrationFiles(directory: schemas.appending(path: "sql"))
            // A path as the shell completes it names the same file.
            let wanted = files.map { $0.split(separator: "/").suffix(2).joined(separator: "/") }
            for file in wanted where !known.files.contains(where: { $0.path == file }) {
                throw ValidationError("there is no file \(file) under \(schemas.path)/sql")
            }
            let findings = MigrationLint(known).findings(in: wanted.isEmpty ? nil : Set(wanted))
            for finding in findings { print("schemas/sql/\(finding)") }
            if !findings.isEmpty { throw ExitCode(1) }
            print("nothing is refused in \(wanted.isEmpty ? known.files.count : wanted.count) files")
        }
    }
}

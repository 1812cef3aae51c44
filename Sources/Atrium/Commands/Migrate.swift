import ArgumentParser
import Foundation
import Kernel
import Logging
import Postgres
import Tenancy

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Brings every database and every tenant's schemas to the shape that this version needs.",
        discussion: """
            Logs in with ATRIUM_ADMIN_DATABASE_URL, and with ATRIUM_SERVER_<NAME>_ADMIN_URL to further servers: \
            superusers, or roles that own the databases and may create roles. Each file is applied to each schema in a \
            transaction of its own; what fails is named, keeps nobody else back, and is made good by running this again. \
            Safe to run from several places at once.
            """,
        subcommands: [Run.self, Lint.self], defaultSubcommand: Run.self)
}

extension Migrate {
    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Migrates; what is done where no other word is given.")

        @Option(help: "A JSON file with settings.")
        var config: String?

        @Option(help: "How many databases, and how many schemas of each, at a time.")
        var parallel = 4

        @Option(help: "Seconds that a statement waits for a lock before its file is tried again later.")
        var lockTimeout = 5

        @Flag(help: "Only tells what would be applied where; ends with 1 where something would.")
        var status = false

        @Option(help: "Seconds that a file may take; no limit where it is left out.")
        var statementTimeout: Int?

        @Flag(
            help: """
                Only compares: files with what was applied, each tenant's schemas with their context's, each database \
                with what the files make. Ends with 1 where something differs.
                """)
        var checkDrift = false

        @Flag(help: "Reports as JSON.")
        var json = false

        func validate() throws {
            if !(1...64).contains(parallel) { throw ValidationError("--parallel is not from 1 to 64") }
            if !(1...3600).contains(lockTimeout) { throw ValidationError("--lock-timeout is not from 1 to 3600") }
            if let statementTimeout, statementTimeout < 1 {
                throw ValidationError("--statement-timeout is not above 0")
            }
            if status && checkDrift { throw ValidationError("choose one of --status and --check-drift") }
        }

        func run() async throws {
            let tools = try await MigrationTools(config: config)
            defer { tools.telemetry.flush() }
            var options = MigrationOptions()
            (options.databases, options.schemas) = (parallel, parallel)
            options.lockTimeout = .seconds(lockTimeout)
            options.statementTimeout = statementTimeout.map { .seconds($0) }
            if checkDrift {
                let findings = try await tools.drift(options)
                let report: JSON = ["findings": .array(findings.map { .string($0) })]
                print(json ? report.description : findings.isEmpty ? "no drift" : findings.joined(separator: "\n"))
                if !findings.isEmpty { throw ExitCode(1) }
                return
            }
            let report = status ? try await tools.status(options) : await tools.migrate(options)
            print(json ? report.json.description : report.text)
            if !report.isSuccess { throw ExitCode(1) }
        }
    }
}

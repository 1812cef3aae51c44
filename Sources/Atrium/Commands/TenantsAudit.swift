import ArgumentParser
import Kernel
import Tenancy

extension Tenants {
    struct Audit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compares what was sold and decided with where each tenant really is.",
            discussion: """
                Looks in every database for schemas, for rows of tenants that live elsewhere, and for what nobody owns. \
                Ends with 1 where something is not as it should be.
                """)

        @Option(help: "A JSON file with settings.")
        var config: String?
        @Option(help: "Only this tenant, by its slug; leaves out what nobody owns.")
        var tenant: String?
        @Flag(help: "Print the findings as JSON.")
        var json = false

        func run() async throws {
            try await TenantsTools.with(config) { tools in
                let findings = try await tools.audit.run(only: tenant)
                if json {
                    let report: JSON = ["findings": .array(findings.map(\.json))]
                    print(report)
                } else {
                    for finding in findings { TenantsTools.printRow([finding.description]) }
                    if findings.isEmpty { print("every tenant lives where it should") }
                }
                if !findings.isEmpty { throw ExitCode(1) }
            }
        }
    }

    struct Abandon: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes back a tenant that is pending: removes what was made for it, and frees its slug.",
            discussion: """
                Needs the login atrium_provisioner (ATRIUM_PROVISIONER_DATABASE_URL). A registration that is running is \
                waited for. Safe to repeat.
                """)

        @Option(help: "A JSON file with settings.")
        var config: String?
        @Argument(help: "The tenant's slug.")
        var slug: String

        func run() async throws {
            try await TenantsTools.with(config) { tools in
                let placement = try await tools.abandonment.abandon(slug)
                print("abandoned \(slug), which was to live in tier \(placement.tier.rawValue), \(placement.database)")
            }
        }
    }
}

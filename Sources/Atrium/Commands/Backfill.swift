import ArgumentParser
import Foundation
import Kernel
import Tenancy

struct Backfill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fills the data that a migration needs, tenant by tenant, while everything serves.",
        subcommands: [List.self, Status.self, Run.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the backfills of this version.")

        @Option(help: "A JSON file with settings.")
        var config: String?

        func run() async throws {
            try await TenantsTools.with(config) { tools in
                TenantsTools.printRow(["backfill", "table", "key", "type", "batch"])
                for backfill in try tools.backfills.definitions {
                    TenantsTools.printRow([
                        backfill.name, backfill.table, backfill.key, backfill.type.rawValue, "\(backfill.batch)",
                    ])
                }
            }
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows how far each tenant is in each backfill.")

        @Option(help: "A JSON file with settings.")
        var config: String?
        @Argument(help: "Only this one, as `atrium backfill list` has it.")
        var name: String?

        func run() async throws {
            try await TenantsTools.with(config) { tools in
                let files = try tools.backfills
                let tenants = try await tools.openTenants()
                TenantsTools.printRow(["backfill", "tenant", "rows", "state", "changed"])
                for backfill in try name.map({ [try files.definition($0)] }) ?? files.definitions {
                    let role = try tools.role(of: backfill)
                    for tenant in tenants {
                        let progress = try await BackfillProgress.read(
                            backfill, of: tenant.tenantID, as: role, plane: tools.data.plane, logger: tools.logger)
                        TenantsTools.printRow([
                            backfill.name, tenant.slug, "\(progress?.rows ?? 0)",
                            progress.map { $0.doneAt == nil ? "begun" : "done" } ?? "not begun",
                            progress?.updatedAt.description,
                        ])
                    }
                }
            }
        }
    }

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Runs a backfill, from where it was cut off.",
            discussion: """
                A tenant that fails is reported and the others go on; the command then ends with 1, and running it again \
                goes on with what is left.
                """)

        @Option(help: "A JSON file with settings.")
        var config: String?
        @Argument(help: "Which, as `atrium backfill list` has it: orders/0001_totals.")
        var name: String
        @Option(help: "Only this tenant, by its slug.")
        var tenant: String?
        @Option(help: "How many keys a transaction takes, in place of the file's number.")
        var batch: Int?
        @Option(help: "Waits while a replica is further behind than this, in seconds.")
        var maxLag = 2.0
        @Option(help: "Rests after each batch, in seconds.")
        var pause = 0.0
        @Flag(help: "Runs the next batch of each tenant, counts, and takes it back.")
        var dryRun = false

        func validate() throws {
            if let batch, !(1...10_000).contains(batch) { throw ValidationError("--batch is not from 1 to 10000") }
            if !(0.001...3600).contains(maxLag) { throw ValidationError("--max-lag is not from 0.001 to 3600 seconds") }
            if !(0...3600).contains(pause) { throw ValidationError("--pause is not from 0 to 3600 seconds") }
        }

        func run() async throws {
            try await TenantsTools.with(config) { tools in
                let backfill = try tools.backfills.definition(name)
                let tenants = try await tools.openTenants(only: tenant)
                var pace = BackfillPace()
                pace.batch = batch
                pace.maxLag = .seconds(maxLag)
                pace.pause = .seconds(pause)
                let run = BackfillRun(
                    backfill, as: try tools.role(of: backfill), plane: tools.data.plane, pace: pace,
                    logger: tools.logger, report: Self.show)
                let failed = try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await ReplicaWatch(tools.data.fleet, logger: tools.logger).run() }
                    defer { group.cancelAll() }
                    return dryRun ? try await rehearse(run, tenants) : try await run.run(tenants)
                }
                print("\(tenants.count) tenants, \(failed) failed")
                if failed > 0 {
                    if !dryRun { print("Mend what failed, and run it again: it goes on with what is left.") }
                    throw ExitCode(1)
                }
            }
        }

        private func rehearse(_ run: BackfillRun, _ tenants: [Residence]) async throws -> Int {
            var failed = 0
            for tenant in tenants {
                do {
                    Self.line(tenant, "the next batch has \(try await run.rehearse(tenant)) rows; it was taken back")
                } catch {
                    try Task.checkCancellation()
                    failed += 1
                    Self.show(.failed(tenant, error))
                }
            }
            return failed
        }

        private static func show(_ event: BackfillEvent) {
            switch event {
            case .batch(let tenant, let keys, let total): line(tenant, "\(keys) rows, \(total) in all")
            case .held(let tenant, let reason): line(tenant, "waits: \(reason)")
            case .repeated(let tenant, let error): line(tenant, "tries the batch again: \(error)")
            case .done(let tenant, let total): line(tenant, "done, \(total) rows in all")
            case .failed(let tenant, let error): line(tenant, "failed: \(error)")
            }
        }

        private static func line(_ tenant: Residence, _ text: String) {
            TenantsTools.printRow([tenant.slug, text])
            // Somebody may be watching through a pipe.
            fflush(nil)
        }
    }
}

/// A tenant that nobody can use yet has nothing to be filled.
private struct TenantIsPending: Error, CustomStringConvertible {
    let slug: String

    var description: String {
        "tenant \(slug) is pending and has nothing to fill; it begins with what the code of today writes"
    }
}

extension TenantsTools {
    private static let contexts = ContextName.allCases.map { $0.module.context }

    fileprivate var backfills: BackfillFiles {
        get throws {
            try BackfillFiles(
                directory: configuration.schemas.appending(path: "backfills"), contexts: Self.contexts.map(\.schema))
        }
    }

    fileprivate func role(of backfill: BackfillDefinition) throws -> ContextRole {
        guard let role = Self.contexts.first(where: { $0.schema == backfill.context }) else {
            throw UnknownBackfill(name: backfill.name)
        }
        return role
    }

    fileprivate func openTenants(only slug: String? = nil) async throws -> [Residence] {
        let tenants = try await data.directory.tenants
        guard let slug else { return tenants.filter { $0.state != .pending } }
        guard let tenant = tenants.first(where: { $0.slug == slug }) else { throw UnknownSlug(slug: slug) }
        guard tenant.state != .pending else { throw TenantIsPending(slug: slug) }
        return [tenant]
    }
}

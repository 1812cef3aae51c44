package import Logging
package import Postgres

/// Migrates every database of an installation, several at a time; what fails in one does not keep the others back.
package struct FleetMigrator: Sendable {
    /// A database and the login that migrates it.
    package struct Database: Sendable {
        package let name: String
        package let administrator: ConnectionSettings
        package let isControl: Bool
        /// Whether it is one tenant's: while the tenant is being made, there may be no such database yet.
        package let isSilo: Bool

        package init(name: String, administrator: ConnectionSettings, isControl: Bool, isSilo: Bool = false) {
            self.name = name
            self.administrator = administrator
            self.isControl = isControl
            self.isSilo = isSilo
        }
    }

    let files: MigrationFiles
    let contextKey: ContextKey
    let options: MigrationOptions
    let logger: Logger

    package init(
        _ files: MigrationFiles, contextKey: ContextKey, options: MigrationOptions = MigrationOptions(), logger: Logger
    ) {
        self.files = files
        self.contextKey = contextKey
        self.options = options
        self.logger = logger
    }

    /// Migrates these databases; running it again goes on where it failed.
    ///
    /// - Parameter progress: told of each database when it is done.
    package func run(
        _ databases: [Database], progress: @escaping @Sendable (DatabaseOutcome) -> Void = { _ in }
    ) async -> MigrationReport {
        var report = MigrationReport()
        report.databases = await eachOf(databases) { database in
            let outcome = await migrate(database)
            progress(outcome)
            return outcome
        }
        return report
    }

    private func migrate(_ database: Database) async -> DatabaseOutcome {
        var outcome = DatabaseOutcome(database: database.name)
        do {
            outcome.schemas = try await Migrator(
                files, administrator: database.administrator, contextKey: contextKey, options: options, logger: logger
            ).outcomes(control: database.isControl)
        } catch let error as PostgresError where error.sqlState == "3D000" && database.isSilo {
            outcome.isAbsent = true
        } catch {
            outcome.failure = "\(error)"
        }
        return outcome
    }

    /// Answers in the order of the databases, however long each one takes.
    func eachOf<Result: Sendable>(
        _ databases: [Database], _ body: @escaping @Sendable (Database) async -> Result
    ) async -> [Result] {
        let queue = WorkQueue(Array(databases.enumerated()))
        let results = await withTaskGroup(of: [(Int, Result)].self) { group in
            for _ in 0..<min(max(options.databases, 1), databases.count) {
                group.addTask {
                    var results: [(Int, Result)] = []
                    while let (index, database) = queue.next() { results.append((index, await body(database))) }
                    return results
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        return results.sorted { $0.0 < $1.0 }.map(\.1)
    }
}

import Logging
import Postgres

/// Applies a schema's files one by one, on a connection that acts as atrium_owner.
struct SchemaMigration {
    let target: SchemaFiles
    let connection: PostgresConnection
    let options: MigrationOptions
    let logger: Logger

    /// Stops at the first file that fails; what came before it stays.
    func run(_ known: Set<KnownMigration>) async -> SchemaOutcome {
        var outcome = SchemaOutcome(schema: target.schema)
        do {
            for file in try target.missing(known) {
                try await inTries(file) { try await apply(file) }
                outcome.applied.append(AppliedMigration(schema: target.schema, file: file))
                logger.info("migration applied", metadata: ["file": "\(target.named(file))"])
            }
        } catch let error as MigrationError {
            outcome.failure = error
        } catch {
            outcome.failure = .failed(target.schema, because: "\(error)")
        }
        return outcome
    }

    private func apply(_ file: MigrationFiles.File) async throws {
        guard let index = file.concurrentIndex else {
            let settings = options.timeouts("LOCAL")
            _ = try await connection.run(
                ["BEGIN"] + settings + target.creation + target.application(of: file) + ["COMMIT"])
            return
        }
        try await apply(index, file)
    }

    /// Without a transaction around it, the statement may be done before it is written down, or leave half an index.
    private func apply(_ index: ConcurrentIndex, _ file: MigrationFiles.File) async throws {
        _ = try await connection.run(
            target.creation + [target.searchPath(isLocal: false), "SET lock_timeout = 0"])
        switch index {
        case .create(let name, _):
            if try await isValid(name) == false {
                _ = try await connection.run(["DROP INDEX CONCURRENTLY IF EXISTS \(identifier: name)"])
            }
            if try await isValid(name) == nil { _ = try await connection.run([SQL(unsafeSQL: file.sql)]) }
        case .drop:
            do {
                _ = try await connection.run([SQL(unsafeSQL: file.sql)])
            } catch let error as PostgresError where error.sqlState == "42704" {
                logger.warning("the index was gone already", metadata: ["file": "\(target.named(file))"])
            }
        }
        _ = try await connection.run([target.record(file), "RESET search_path", "RESET lock_timeout"])
    }

    /// Nothing where there is no such index.
    private func isValid(_ index: String) async throws -> Bool? {
        try await connection.run([
            """
            SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = \(target.schema) AND c.relname = \(index)
            """
        ])[0].first?.decode(Bool.self)
    }

    /// Whoever was kept from a lock, or chosen to end a deadlock, tries again after a while.
    private func inTries(_ file: MigrationFiles.File, _ body: () async throws -> Void) async throws {
        var pause = options.pause
        var tries = 1
        while true {
            do {
                return try await body()
            } catch {
                await connection.leaveTransaction()
                let state = (error as? PostgresError)?.sqlState
                let isBlocked = state == "55P03" || state == "40P01"
                guard isBlocked, tries < options.tries else {
                    throw isBlocked
                        ? MigrationError.blocked(target.named(file), tries: tries)
                        : MigrationError.failed(
                            target.named(file), because: (error as? PostgresError)?.debugDescription ?? "\(error)")
                }
                logger.info(
                    "migration waits for a lock", metadata: ["file": "\(target.named(file))", "try": "\(tries)"])
            }
            try await Task.sleep(for: pause * Double.random(in: 0.5...1))
            pause = min(pause * 2, .seconds(10))
            tries += 1
        }
    }
}

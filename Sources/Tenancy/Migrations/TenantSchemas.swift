package import Kernel
package import Postgres

/// The schemas that a bridge tenant has to itself, one for each context: `orders__t<32 hex>` and so on.
package struct TenantSchemas: Sendable {
    private let files: MigrationFiles

    package init(_ files: MigrationFiles) {
        self.files = files
    }

    package enum State: Hashable, Sendable {
        case absent
        /// Some schema or some file of one is missing.
        case partial
        case complete
    }

    /// What follows the context and two underscores in the names of a tenant's schemas, and `atrium_` in that of its
    /// database.
    package static func suffix(of tenant: TenantID) -> String {
        "t" + tenant.description.replacing("-", with: "")
    }

    /// Makes all of the tenant's schemas, with every file, in one transaction; repeating it adds what is missing.
    ///
    /// - Parameter connection: of a member of atrium_owner, outside any transaction.
    /// - Throws: `MigrationError.baseDiffers` where the database was migrated with other files than these.
    package func create(
        suffix: String, on connection: PostgresConnection, deadline: ContinuousClock.Instant? = nil
    ) async throws {
        precondition(Self.isSuffix(suffix), "a suffix is t and 32 hexadecimal digits")
        do {
            let known = try await known(suffix, on: connection, deadline)
            for context in files.contexts {
                let base = SchemaFiles(context, files)
                guard try base.missing(known[context] ?? []).isEmpty else { throw MigrationError.baseDiffers(context) }
            }
            var statements: [SQL] = []
            for target in schemas(suffix).map({ SchemaFiles($0, files) }) {
                statements += target.creation
                let isNew = known[target.schema] == nil
                for file in try target.missing(known[target.schema] ?? []) {
                    statements += target.application(of: file, isNew: isNew)
                }
            }
            _ = try await connection.run(statements + ["COMMIT"], deadline: deadline)
        } catch let error as MigrationError {
            await connection.leaveTransaction()
            switch error {
            // The base schemas have files that these are not.
            case .unknown(let file), .changed(let file): throw MigrationError.baseDiffers(file)
            default: throw error
            }
        } catch {
            await connection.leaveTransaction()
            throw error
        }
    }

    /// Drops all of the tenant's schemas, with all data in them, in one transaction; does nothing where there are none.
    package func drop(
        suffix: String, on connection: PostgresConnection, deadline: ContinuousClock.Instant? = nil
    ) async throws {
        precondition(Self.isSuffix(suffix), "a suffix is t and 32 hexadecimal digits")
        do {
            let found = try await connection.run(
                opening(suffix) + ["SELECT nspname::text FROM pg_namespace WHERE nspname LIKE \("%\\_\\_" + suffix)"],
                deadline: deadline
            ).last?.map { try $0.decode(String.self) }
            var statements: [SQL] = (found ?? []).map { "DROP SCHEMA \(identifier: $0) CASCADE" }
            statements.append("DELETE FROM atrium_migrations.applied WHERE schema_name LIKE \("%\\_\\_" + suffix)")
            _ = try await connection.run(statements + ["COMMIT"], deadline: deadline)
        } catch {
            await connection.leaveTransaction()
            throw error
        }
    }

    /// Whether the tenant has its schemas, and all that these files give them.
    package func state(
        suffix: String, on connection: PostgresConnection, deadline: ContinuousClock.Instant? = nil
    ) async throws -> State {
        let names = schemas(suffix)
        do {
            let results = try await connection.run(
                [
                    "BEGIN READ ONLY", "SET LOCAL ROLE atrium_owner",
                    "SELECT nspname::text FROM pg_namespace WHERE nspname = ANY (\(names))", Self.applied(names),
                    "COMMIT",
                ], deadline: deadline)
            if results[2].isEmpty { return .absent }
            let known = try SchemaFiles.known(results[3])
            let isComplete =
                try results[2].count == names.count
                && names.allSatisfy { try SchemaFiles($0, files).missing(known[$0] ?? []).isEmpty }
            return isComplete ? .complete : .partial
        } catch {
            await connection.leaveTransaction()
            throw error
        }
    }

    package func exists(
        suffix: String, on connection: PostgresConnection, deadline: ContinuousClock.Instant? = nil
    ) async throws -> Bool {
        try await state(suffix: suffix, on: connection, deadline: deadline) == .complete
    }

    /// The names of a tenant's schemas.
    package func schemas(_ suffix: String) -> [String] {
        files.contexts.map { "\($0)__\(suffix)" }
    }

    // MARK: Names

    /// The scope whose files a schema has: `orders` for itself and for `orders__t…`.
    static func scope(of schema: String) -> String {
        schema.split(separator: "__", maxSplits: 1).first.map(String.init) ?? schema
    }

    static func isSuffix(_ text: String) -> Bool {
        text.utf8.count == 33 && text.utf8.first == UInt8(ascii: "t")
            && text.utf8.dropFirst().allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    /// The tenants that have schemas of their own in this database.
    static func suffixes(on connection: PostgresConnection) async throws -> [String] {
        try await connection.run([
            """
            SELECT DISTINCT substring(nspname FROM '__(t[0-9a-f]{32})$') AS suffix FROM pg_namespace
            WHERE nspname ~ '^[a-z][a-z0-9_]*__t[0-9a-f]{32}$' ORDER BY 1
            """
        ])[0].map { try $0.decode(String.self) }
    }

    // MARK: Statements

    /// Shared by those who make schemas, exclusive to a migrator that is about to look which there are.
    static let lock: SQL = "hashtext('atrium.tenant_schemas')"

    private func opening(_ suffix: String) -> [SQL] {
        [
            "BEGIN", "SET LOCAL ROLE atrium_owner", "SET LOCAL lock_timeout = '5s'",
            "SELECT pg_advisory_xact_lock_shared(\(Self.lock))",
            "SELECT pg_advisory_xact_lock(\(Self.lock), hashtext(\(suffix)))",
        ]
    }

    private func known(
        _ suffix: String, on connection: PostgresConnection, _ deadline: ContinuousClock.Instant?
    ) async throws -> [String: Set<KnownMigration>] {
        let results = try await connection.run(
            opening(suffix) + [Self.applied(files.contexts + schemas(suffix))], deadline: deadline)
        return try SchemaFiles.known(results[results.count - 1])
    }

    private static func applied(_ schemas: [String]) -> SQL {
        "SELECT schema_name, number, checksum FROM atrium_migrations.applied WHERE schema_name = ANY (\(schemas))"
    }
}

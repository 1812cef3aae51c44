import DevStack
import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport

/// The project's SQL, or a copy with files added or changed.
enum SQLFolder {
    static let contextKey = TestDataPlane.contextKey

    static func files(_ changes: [String: String] = [:]) throws -> MigrationFiles {
        let source = Places.packageRoot.appending(path: "schemas/sql")
        if changes.isEmpty { return try MigrationFiles(directory: source) }
        let folder = FileManager.default.temporaryDirectory.appending(path: "atrium-sql-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.copyItem(at: source, to: folder)
        for (path, text) in changes {
            let url = folder.appending(path: path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        return try MigrationFiles(directory: folder)
    }

    @discardableResult
    static func migrate(
        _ files: MigrationFiles, _ database: TestDatabase, control: Bool = true, key: ContextKey = contextKey
    ) async throws -> [String] {
        try await Migrator(
            files, administrator: ConnectionSettings(database.address.url), contextKey: key, logger: .silent
        ).run(control: control).map(\.description)
    }
}

extension TestDatabase {
    func login(_ user: String) throws -> ConnectionSettings {
        try ConnectionSettings(address.user(user, password: "atrium").url)
    }

    /// A connection of the login that makes tenants' schemas and databases.
    @discardableResult
    func asProvisioner<Result>(_ body: (PostgresConnection) async throws -> Result) async throws -> Result {
        let connection = try await PostgresConnection.connect(login("atrium_provisioner"), logger: .silent)
        defer { connection.close() }
        return try await body(connection)
    }

    /// The first column of every row, as the superuser.
    func texts(_ sql: SQL) async throws -> [String] {
        try await PostgresConnection.execute(sql, at: address).map { try $0.decode(String.self) }
    }

    func run(_ statements: SQL...) async throws {
        for statement in statements { try await PostgresConnection.execute(statement, at: address) }
    }
}

/// A suffix that no other tenant of the test run has.
func someSuffix() -> String {
    TenantSchemas.suffix(of: IdentifierSource.system.next())
}

extension TestDatabase {
    /// Makes the schemas of a bridge tenant, and answers what their names end in.
    @discardableResult
    func makeTenant(_ files: MigrationFiles? = nil) async throws -> String {
        let suffix = someSuffix()
        try await asProvisioner { try await TenantSchemas(files ?? SQLFolder.files()).create(suffix: suffix, on: $0) }
        return suffix
    }

    func guardFindings(
        as user: String = "atrium_app", key: ContextKey = SQLFolder.contextKey, isControl: Bool = true
    ) async throws -> [String] {
        let connection = try await PostgresConnection.connect(login(user), logger: .silent)
        defer { connection.close() }
        return try await DatabaseGuard.report(
            on: connection, files: SQLFolder.files(), contextKey: key, isControl: isControl
        ).findings
    }
}

package import DevStack
import Foundation
package import Kernel
package import Logging
package import Postgres
package import Tenancy

extension DatabaseTemplate {
    /// Every context's schema, and a password for `atrium_app`.
    package static let migrated = DatabaseTemplate("atrium_migrated") { try await migrate($0) }

    /// Makes the same of a database that is there already.
    package static func migrate(_ address: PostgresAddress) async throws {
        let files = try MigrationFiles(directory: Places.packageRoot.appending(path: "schemas/sql"))
        try await Migrator(files, administrator: ConnectionSettings(address.url), logger: .silent).run()
        try await PostgresConnection.execute("ALTER ROLE atrium_app PASSWORD 'atrium'", at: address)
    }
}

extension Logger {
    /// For code under test whose lines nobody reads.
    package static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

extension PostgresConnection {
    /// Runs statements one by one as the superuser, outside every fence: for arranging tests and looking at results.
    @discardableResult
    package static func execute(_ statements: SQL..., at address: PostgresAddress) async throws -> Rows {
        let connection = try await connect(ConnectionSettings(address.url), logger: .silent)
        var last = try await connection.flight([Statement("SELECT 1")], deadline: nil)[0]
        do {
            for statement in statements {
                last = try await connection.flight([Statement(statement, prepare: false)], deadline: nil)[0]
            }
        } catch {
            connection.close()
            throw error
        }
        connection.close()
        return last
    }
}

/// A database with every context's schema, reached as the server reaches it.
package struct TestDataPlane: Sendable {
    package let dataPlane: DataPlane
    package let pool: PostgresPool
    package let database: TestDatabase

    package static func with<Result: Sendable>(
        maximum: Int = 8, _ body: @Sendable (TestDataPlane) async throws -> Result
    ) async throws -> Result {
        try await PostgresServer.withDatabase(.migrated) { database in
            try await with(database, maximum: maximum, body)
        }
    }

    package static func with<Result: Sendable>(
        _ database: TestDatabase, maximum: Int = 8, _ body: @Sendable (TestDataPlane) async throws -> Result
    ) async throws -> Result {
        let login = database.address.user("atrium_app", password: "atrium")
        let pool = PostgresPool(
            try ConnectionSettings(login.url), PoolConfiguration(name: "test", maximum: maximum), logger: .silent)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.run() }
            defer { group.cancelAll() }
            return try await body(
                TestDataPlane(dataPlane: DataPlane(pool: pool), pool: pool, database: database))
        }
    }

    /// A look past every fence.
    @discardableResult
    package func asSuperuser(_ sql: SQL) async throws -> Rows {
        try await PostgresConnection.execute(sql, at: database.address)
    }
}

extension TenantContext {
    /// A tenant that nobody else in the test run has.
    package static func test(
        _ id: TenantID = IdentifierSource.system.next(), actor: Tenancy.Actor = .operator
    ) -> TenantContext {
        TenantContext(tenantID: id, actor: actor, correlation: .new(), logger: .silent)
    }
}

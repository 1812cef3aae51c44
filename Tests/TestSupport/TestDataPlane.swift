package import DevStack
import Foundation
package import Kernel
package import Logging
package import Postgres
package import Tenancy

extension DatabaseTemplate {
    /// Every context's schema, and a password for `atrium_app`.
    package static let migrated = DatabaseTemplate(
        "atrium_migrated", rights: { DatabasePreparation.rights(on: $0).map(\.text) },
        prepare: { try await migrate($0) })

    /// Makes the same of a database that is there already.
    package static func migrate(_ address: PostgresAddress) async throws {
        let administrator = try ConnectionSettings(address.url)
        _ = try await Migrator(
            TestDataPlane.files(), administrator: administrator, contextKey: TestDataPlane.contextKey, logger: .silent
        ).run(control: true)
        try await SiloTemplate(TestDataPlane.files(), contextKey: TestDataPlane.contextKey, logger: .silent)
            .ensure(administrator: administrator)
        for role in ["atrium_app", "atrium_provisioner"] {
            try await PostgresConnection.execute("ALTER ROLE \(identifier: role) PASSWORD 'atrium'", at: address)
        }
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
///
/// Tenants need no registration: each lives in the tier that the test asked for, from the moment it is first used.
package struct TestDataPlane: Sendable {
    package let dataPlane: DataPlane
    package let fleet: DatabaseFleet
    package let database: TestDatabase
    package let homes: TestHomes

    /// Of the control plane's database.
    package var pool: PostgresPool {
        get throws { try fleet.database(fleet.control).primary }
    }

    package static let secret = Array("a secret that is long enough for the tests".utf8)
    package static let contextKey = ContextKey(secret: secret)

    package static func files() throws -> MigrationFiles {
        try MigrationFiles(directory: Places.packageRoot.appending(path: "schemas/sql"))
    }

    package static func with<Result: Sendable>(
        maximum: Int = 8, tier: Tier = .pool, _ body: @Sendable (TestDataPlane) async throws -> Result
    ) async throws -> Result {
        try await PostgresServer.withDatabase(.migrated) { database in
            try await with(database, maximum: maximum, tier: tier, body)
        }
    }

    package static func with<Result: Sendable>(
        _ database: TestDatabase, maximum: Int = 8, tier: Tier = .pool, replicas: [PostgresAddress] = [],
        _ body: @Sendable (TestDataPlane) async throws -> Result
    ) async throws -> Result {
        let fleet = DatabaseFleet(
            servers: [try database.server(replicas: replicas)],
            pools: PoolConfiguration(name: "test", maximum: maximum),
            logger: .silent)
        let homes = TestHomes(tier: tier, fleet: fleet, files: try files())
        let plane = DataPlane(fleet: fleet, locator: homes, signer: ContextSigner(contextKey))
        let outcome: Swift.Result<Result, any Error> = await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await fleet.run() }
            defer { group.cancelAll() }
            do {
                return .success(
                    try await body(TestDataPlane(dataPlane: plane, fleet: fleet, database: database, homes: homes)))
            } catch {
                return .failure(error)
            }
        }
        // Apart from the test's task, which may be cancelled by now.
        await Task { await homes.demolish() }.value
        return try outcome.get()
    }

    /// The same databases with the tenants that are registered, as the program has them.
    package func registered() throws -> (plane: DataPlane, directory: TenantDirectory, builder: TenantBuilder) {
        let signer = ContextSigner(Self.contextKey)
        let directory = TenantDirectory(fleet: fleet, signer: signer, logger: .silent)
        return (
            DataPlane(fleet: fleet, locator: directory, signer: signer), directory,
            TenantBuilder(fleet: fleet, files: try Self.files(), contextKey: Self.contextKey, logger: .silent)
        )
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

import DevStack
import Kernel
import Postgres
import Tenancy
import TestSupport

/// Every check for one database, which has rows of A and B in every tenant table, and schemas of A's own.
struct Battery: Sendable {
    let catalogue: Catalogue
    let checks: [Check]
    static let a = TenantID("00000000-0000-7000-8000-0000000000a0")!
    static let b = TenantID("00000000-0000-7000-8000-0000000000b0")!

    /// Fills the database.
    init(on connection: PostgresConnection) async throws {
        let catalogue = try await Catalogue(on: connection)
        let rows = RowMaker(catalogue: catalogue)
        let bounds = try await Self.bounds(on: connection)
        for bound in bounds { try await connection.script(bound.removal) }
        for statement in try rows.everywhere(Self.a, 1) + rows.everywhere(Self.b, 2) {
            do {
                _ = try await connection.flight([Statement(statement, prepare: false)])
            } catch let error as PostgresError {
                throw NoFixture(what: "\(statement.text): \(error.debugDescription)")
            }
        }
        // B's rows in A's own schema stay, as if they had come there before anybody kept them out.
        for bound in bounds { try await connection.script("\(bound.addition) NOT VALID") }
        let tables = TableChecks(rows: rows, a: Self.a, b: Self.b)
        self.catalogue = catalogue
        checks =
            catalogue.tables.flatMap { tables.checks(of: $0) }
            + catalogue.shared.flatMap { tables.checks(of: $0.name, $0.rights) }
            + GlobalChecks(a: Self.a, b: Self.b).all
    }

    /// What holds the tables of a tenant's own schema to that tenant.
    private static func bounds(
        on connection: PostgresConnection
    ) async throws -> [(removal: String, addition: String)] {
        try await connection.query(
            """
            SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
                format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
            FROM pg_constraint WHERE conname = 'own_tenant'
            """
        ).map { try $0.decode((String, String).self) }
    }

    /// The first check that does not hold after the change, with what it found; `nil` where all hold.
    ///
    /// The change is undone.
    func firstFailure(
        after change: [SQL] = [], trying table: String? = nil, on connection: PostgresConnection
    ) async throws -> Failure? {
        let prober = Prober(connection: connection)
        _ = try await connection.flight([.init("BEGIN", prepare: false)])
        var failure: Failure?
        do {
            _ = try await connection.flight(change.map { Statement($0, prepare: false) })
            let likely = checks.filter { $0.table == table }
            for check in likely + checks.filter({ $0.table != table }) {
                if let found = try await check.find(prober) {
                    failure = Failure(check: check.name, finding: found)
                    break
                }
            }
        } catch {
            _ = try? await connection.flight([.init("ROLLBACK", prepare: false)])
            throw error
        }
        _ = try await connection.flight([.init("ROLLBACK", prepare: false)])
        return failure
    }

    struct Failure: Sendable {
        let check: String
        let finding: String
    }

    /// A database for the battery, as a superuser sees it: migrated, with the schemas of one tenant of the bridge.
    static func withDatabase<Result>(_ body: (PostgresConnection) async throws -> Result) async throws -> Result {
        try await PostgresServer.withDatabase(.migrated) { database in
            let connection = try await PostgresConnection.connect(
                ConnectionSettings(database.address.url), logger: .silent)
            defer { connection.close() }
            try await TenantSchemas(TestDataPlane.files()).create(
                suffix: TenantSchemas.suffix(of: a), on: connection)
            return try await body(connection)
        }
    }
}

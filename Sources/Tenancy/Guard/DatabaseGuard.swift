package import Postgres

/// Looks, before the server serves, whether the database really holds the fences that the code relies on.
package struct DatabaseGuard: Sendable {
    private let pool: PostgresPool
    private let files: MigrationFiles
    private let contextKey: ContextKey
    private let isControl: Bool

    /// - Parameters:
    ///   - pool: of the login that the server serves with.
    ///   - isControl: whether the database is the control plane's.
    package init(pool: PostgresPool, files: MigrationFiles, contextKey: ContextKey, isControl: Bool) {
        self.pool = pool
        self.files = files
        self.contextKey = contextKey
        self.isControl = isControl
    }

    /// Every finding says what is wrong and what mends it; none means that the server may start.
    package func findings() async throws -> [String] {
        try await report().findings
    }

    /// The findings, and beside them what need not keep the server from starting.
    package func report() async throws -> Report {
        try await pool.withConnection { connection in
            try await Self.report(on: connection, files: files, contextKey: contextKey, isControl: isControl)
        }
    }

    /// The same on a connection of the login that the server serves with, outside any transaction.
    package static func report(
        on connection: PostgresConnection, files: MigrationFiles, contextKey: ContextKey, isControl: Bool
    ) async throws -> Report {
        let limit = ContinuousClock.now + .seconds(30)
        var report = Report()
        let version = ServerVersionCheck(connection.parameter("server_version") ?? "")
        report.findings += version.finding.map { [$0] } ?? []
        report.warnings += version.warning.map { [$0] } ?? []
        let checks = RoleChecks.all + GrantChecks.all + TableChecks.all + KeyChecks.all + FunctionChecks.all
        for rows in try await connection.run(checks, deadline: limit) {
            report.findings += try rows.map { try $0.decode(String.self) }
        }
        let isMigrated = try await connection.run(
            ["SELECT to_regclass('atrium_migrations.applied') IS NOT NULL"], deadline: limit)[0]
        guard try isMigrated.first?.decode(Bool.self) == true else {
            report.findings.append("the database has never been migrated; run `atrium migrate`")
            return report
        }
        report.findings += try await AppliedCheck(files: files, isControl: isControl).findings(connection, limit)
        report.findings += try await SignatureCheck(files: files, key: contextKey).findings(connection, limit)
        return report
    }

    package struct Report: Sendable {
        package var findings: [String] = []
        package var warnings: [String] = []
    }
}

/// Parts of the statements that look into the catalogue.
enum Catalogue {
    /// Schemas that Atrium or whoever works beside it has made, of `pg_namespace n`.
    static let ours: SQL = """
        n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'atrium_migrations') \
        AND n.nspname NOT LIKE 'pg_temp%' AND n.nspname NOT LIKE 'pg_toast_temp%'
        """

    /// The login and every role that it may become, with the context of each and whether it works across tenants; a
    /// superuser may become all, and is a finding of its own.
    static let acting: SQL = """
        acting AS MATERIALIZED (
            SELECT r.oid, r.rolname, r.rolname = session_user AS is_login,
                CASE WHEN r.rolname = 'control_plane' THEN 'control'
                    ELSE substring(r.rolname FROM '^(.*)_(?:app|worker)$') END AS context,
                r.rolname = 'control_plane' OR r.rolname LIKE '%\\_worker' AS is_across
            FROM pg_roles r, pg_roles login
            WHERE login.rolname = session_user
                AND (r.oid = login.oid OR NOT login.rolsuper AND pg_has_role(session_user, r.oid, 'MEMBER')))
        """
}

package import Kernel
package import Logging
package import Postgres

/// Tries to reach B's rows by statements in A's own transactions, each of which is undone.
package struct SQLCanaryDoor: CanaryDoor {
    package let name = "sql"
    private let dataPlane: DataPlane
    private let roles: [ContextRole]
    private let bait: CanaryBait
    private let logger: Logger

    /// - Parameter roles: of the contexts whose tables are tried.
    package init(dataPlane: DataPlane, roles: [ContextRole], bait: CanaryBait, logger: Logger) {
        self.dataPlane = dataPlane
        self.roles = roles
        self.bait = bait
        self.logger = logger
    }

    package func attempt(_ pair: CanaryPair) async throws -> CanaryOutcome {
        guard try await seen(by: pair.b, bait.count(of: pair.b)) == 1 else {
            throw BlindCanary("B does not see its own row")
        }
        var outcome = CanaryOutcome()
        outcome.record("B's row by its identifier", led: try await seen(by: pair.a, bait.count(of: pair.b)) > 0)
        for role in roles { try await scan(pair, role, &outcome) }
        try await write(pair, &outcome)
        try await forge(pair, &outcome)
        return outcome
    }

    // MARK: Reading

    private func seen(by tenant: TenantID, _ sql: SQL) async throws -> Int64 {
        try await dataPlane.query(.canary(tenant, logger), as: bait.role, sql)[0].decode(Int64.self)
    }

    /// Every tenant table that the role can read, where A is at home and where B is.
    private func scan(_ pair: CanaryPair, _ role: ContextRole, _ outcome: inout CanaryOutcome) async throws {
        let homes = Set(
            [SchemaSet.base, SchemaSet.own(pair.a), SchemaSet.own(pair.b)].map { $0.name(of: role.schema) })
        let context = TenantContext.canary(pair.a, logger)
        let tables = try await dataPlane.query(
            context, as: role,
            """
            SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id'
            WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname = ANY (\(homes.sorted()))
                AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1
            """
        ).map { try $0.decode(String.self) }
        for table in tables {
            // Quoted names are taken as they are, so that B's schema is really the one that is named.
            let quoted = table.split(separator: ".").map { "\"\($0)\"" }.joined(separator: ".")
            let foreign = try await dataPlane.query(
                context, as: role,
                "SELECT EXISTS (SELECT FROM \(unsafeSQL: quoted) WHERE tenant_id IS DISTINCT FROM \(pair.a))")
            outcome.record("a scan of \(table)", led: try foreign[0].decode(Bool.self))
        }
    }

    // MARK: Writing

    private func write(_ pair: CanaryPair, _ outcome: inout CanaryOutcome) async throws {
        outcome.record(
            "a change of B's row", led: try await succeeds(pair, [bait.change(of: pair.b)]) { $0.affected > 0 })
        outcome.record(
            "a row written for B", led: try await succeeds(pair, [bait.copy(for: pair.b)]) { $0.affected > 0 })
        guard pair.placement == .bridge else { return }
        for (way, sql) in [
            ("a change in B's schema", bait.change(of: pair.b)),
            ("a row written into B's schema", bait.copy(for: pair.b)),
        ] {
            let there = SchemaSet.own(pair.b).resolve(sql.text, context: bait.role.schema)
            outcome.record(
                way, led: try await succeeds(pair, [sql.replacingText(with: there)]) { $0.affected > 0 })
        }
    }

    // MARK: Forging

    private func forge(_ pair: CanaryPair, _ outcome: inout CanaryOutcome) async throws {
        let context = "\(pair.b.hexDigits),\(bait.role.name)"
        let mac = (0..<32).map { _ in UInt8.random(in: .min ... .max) }
        let look = bait.count(of: pair.b)
        func isSeen(_ rows: Rows) throws -> Bool { try rows[0].decode(Int64.self) > 0 }
        for (way, statements) in [
            ("a forged signature", ["SELECT platform.enter(\(context), 0, \(mac))", look]),
            ("a context set by hand", ["SET LOCAL backtrace_functions = '\(unsafeSQL: context)'", look]),
            ("a call of set_config", ["SELECT set_config('backtrace_functions', \(context), true)", look]),
            ("row security switched off", ["SET LOCAL row_security = off", look]),
        ] as [(String, [SQL])] {
            outcome.record(way, led: try await succeeds(pair, statements, isSeen))
        }
        outcome.record(
            "another role",
            led: try await succeeds(
                pair,
                ["SET LOCAL ROLE \(unsafeSQL: bait.role.schema)_worker", "SELECT platform.is_entered()::int::bigint"],
                isSeen))
    }

    /// Runs statements in A's transaction and undoes them; what the database refuses has not led anywhere.
    private func succeeds(
        _ pair: CanaryPair, _ statements: [SQL], _ isCrossing: (Rows) throws -> Bool
    ) async throws -> Bool {
        do {
            try await dataPlane.write(.canary(pair.a, logger), as: bait.role) { transaction in
                var last: Rows?
                for statement in statements { last = try await transaction.rowsWriting(statement) }
                throw Undone(isCrossing: try last.map(isCrossing) ?? false)
            }
            return false
        } catch let undone as Undone {
            return undone.isCrossing
        } catch let error as PostgresError where error.sqlState != nil {
            return false
        }
    }

    private struct Undone: Error {
        let isCrossing: Bool
    }
}

/// The row of B that A tries to reach, in the words of the context that it belongs to.
package struct CanaryBait: Sendable {
    package let role: ContextRole
    /// Whether the tenant's row is there, as a number of rows.
    package let count: @Sendable (TenantID) -> SQL
    /// A change that leaves the tenant's row as it is.
    package let change: @Sendable (TenantID) -> SQL
    /// A further row for the tenant.
    package let copy: @Sendable (TenantID) -> SQL

    package init(
        role: ContextRole, count: @escaping @Sendable (TenantID) -> SQL,
        change: @escaping @Sendable (TenantID) -> SQL, copy: @escaping @Sendable (TenantID) -> SQL
    ) {
        self.role = role
        self.count = count
        self.change = change
        self.copy = copy
    }

    func count(of tenant: TenantID) -> SQL { count(tenant) }
    func change(of tenant: TenantID) -> SQL { change(tenant) }
    func copy(for tenant: TenantID) -> SQL { copy(tenant) }
}

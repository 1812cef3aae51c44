import Kernel
import Postgres
import Tenancy

/// Something that must hold, and how to find out.
struct Check: Sendable {
    let name: String
    /// The table that it is about; `nil` where it is about the whole database.
    let table: String?
    /// Answers what is wrong, or `nil`.
    let find: @Sendable (Prober) async throws -> String?

    init(_ name: String, _ table: String? = nil, _ find: @escaping @Sendable (Prober) async throws -> String?) {
        self.name = name
        self.table = table
        self.find = find
    }
}

/// What must hold for every tenant table and every role with rights on it. A has rows with seed 1, B with seed 2.
struct TableChecks: Sendable {
    let rows: RowMaker
    let a: TenantID
    let b: TenantID

    func checks(of table: TenantTable) -> [Check] {
        table.roles.flatMap { $0.isOfOneTenant ? ofOneTenant(table, $0) : acrossTenants(table, $0) } + [owner(table)]
    }

    // MARK: A role of one tenant

    private func ofOneTenant(_ table: TenantTable, _ rights: TenantTable.Rights) -> [Check] {
        let role = rights.role
        let inside = Prober.Context.entered(a, as: role)
        var found: [Check] = []
        func check(_ name: String, _ find: @escaping @Sendable (Prober) async throws -> String?) {
            found.append(Check("\(name) (\(table.name), \(role))", table.name, find))
        }
        if rights.selects {
            check("a tenant sees its own rows and no other") { prober in
                let answer = try await prober.attempt(count(table), as: role, in: inside)
                return answer.value() == "1/0" ? nil : "own/foreign rows: \(describe(answer))"
            }
            check("without a context nothing is seen") { prober in
                let answer = try await prober.attempt(count(table), as: role)
                return answer.value() == "0/0" ? nil : "own/foreign rows: \(describe(answer))"
            }
            check("a context of another role shows nothing") { prober in
                let other = Prober.Context.entered(a, as: role == "orders_app" ? "billing_app" : "orders_app")
                let answer = try await prober.attempt(count(table), as: role, in: other)
                return answer.value() == "0/0" ? nil : "own/foreign rows: \(describe(answer))"
            }
        }
        if rights.inserts {
            check("a tenant writes no row of another") { prober in
                try await foreignInsert(table, role, inside, prober, returning: rights.selects)
            }
            check("without a context no row is written") { prober in
                try await foreignInsert(table, role, .none, prober, returning: false)
            }
            for reference in table.references where reference.columns != ["tenant_id"] {
                check("\(reference.name) does not reach another tenant") { prober in
                    try await foreignReference(table, reference, role, inside, prober)
                }
            }
            if table.isOwn {
                check("a tenant's own schema takes nobody else's rows") { prober in
                    let answer = try await prober.attempt(
                        try rows.insertion(into: table, b, 5), as: role, in: .entered(b, as: role))
                    return answer.constraint == "own_tenant" ? nil : describe(answer)
                }
            }
            check("a tenant may use the keys that another has") { prober in
                let before =
                    ["SET LOCAL session_replication_role = replica"] + rows.nowhere(b)
                    + ["SET LOCAL session_replication_role = origin"] + rows.opened(table)
                    + (try rows.parents(of: table, b, 1))
                let answer = try await prober.attempt(
                    try rows.insertion(into: table, b, 1), as: role, in: .entered(b, as: role), before: before)
                return answer.affected == 1 ? nil : describe(answer)
            }
        }
        if let column = rights.updatable, rights.selects {
            check("a tenant changes its own rows and no other") { prober in
                let answer = try await prober.attempt(
                    "UPDATE \(unsafeSQL: table.name) SET \(identifier: column) = \(identifier: column)", as: role,
                    in: inside)
                return answer.affected == 1 ? nil : describe(answer)
            }
        }
        if rights.deletes {
            check("a tenant deletes its own rows and no other") { prober in
                let answer = try await prober.attempt(
                    "DELETE FROM \(unsafeSQL: table.name)", as: role, in: inside,
                    before: ["SET LOCAL session_replication_role = replica"])
                return answer.affected == 1 ? nil : describe(answer)
            }
        }
        return found
    }

    private func foreignInsert(
        _ table: TenantTable, _ role: String, _ context: Prober.Context, _ prober: Prober, returning: Bool
    ) async throws -> String? {
        for suffix in [""] + (returning ? ["RETURNING tenant_id"] : []) {
            let answer = try await prober.attempt(
                try rows.insertion(into: table, b, 5, suffix: suffix), as: role, in: context,
                before: ["SET LOCAL session_replication_role = replica"] + rows.nowhere(b) + rows.opened(table)
                    + (try rows.parents(of: table, b, 5)))
            guard answer.sqlState == "42501" else { return describe(answer) }
        }
        return nil
    }

    private func foreignReference(
        _ table: TenantTable, _ reference: TenantTable.Reference, _ role: String, _ context: Prober.Context,
        _ prober: Prober
    ) async throws -> String? {
        for (tenant, seed) in [(b, 2), (TenantID.nobody, 8)] {
            let insertion = try rows.insertion(
                into: table, a, 4, setting: try rows.leading(reference, to: tenant, seed))
            let answer = try await prober.attempt(
                insertion, as: role, in: context, before: try rows.parents(of: table, a, 4))
            guard answer.sqlState == "23503", answer.constraint == reference.name else { return describe(answer) }
        }
        return nil
    }

    // MARK: A role across tenants

    private func acrossTenants(_ table: TenantTable, _ rights: TenantTable.Rights) -> [Check] {
        let role = rights.role
        var found: [Check] = []
        func check(_ name: String, _ find: @escaping @Sendable (Prober) async throws -> String?) {
            found.append(Check("\(name) (\(table.name), \(role))", table.name, find))
        }
        let strangers: [Prober.Context] = [
            .none, .entered(a, as: "\(table.context)_app".replacing("platform", with: "orders")),
        ]
        for context in strangers {
            let whom = if case .none = context { "without a context" } else { "from within a tenant's transaction" }
            if rights.selects {
                check("\(whom) a cross-tenant role shows nothing") { prober in
                    let answer = try await prober.attempt(count(table), as: role, in: context)
                    return answer.value() == "0/0" ? nil : "rows of A/of others: \(describe(answer))"
                }
            }
            if rights.deletes {
                check("\(whom) a cross-tenant role deletes nothing") { prober in
                    let answer = try await prober.attempt(
                        "DELETE FROM \(unsafeSQL: table.name)", as: role, in: context)
                    return answer.affected == 0 ? nil : describe(answer)
                }
            }
            if rights.inserts {
                check("\(whom) a cross-tenant role writes nothing") { prober in
                    try await foreignInsert(table, role, context, prober, returning: false)
                }
            }
        }
        if rights.selects {
            check("the cross-tenant door opens for those who may use it") { prober in
                let answer = try await prober.attempt(count(table), as: role, in: .entered(nil, as: role))
                return answer.value() == "1/1" ? nil : "rows of A/of others: \(describe(answer))"
            }
        }
        if rights.inserts {
            // Some keys are the whole installation's, such as a tenant's slug.
            if table.keys.allSatisfy({ $0.columns.contains("tenant_id") }) {
                check("a tenant may have the keys that another has") { prober in
                    let answer = try await prober.attempt(
                        try rows.insertion(into: table, b, 1), as: role, in: .entered(b, as: role),
                        before: ["SET LOCAL session_replication_role = replica"] + rows.nowhere(b))
                    return answer.affected == 1 ? nil : describe(answer)
                }
            }
            check("whoever may write through the cross-tenant door can") { prober in
                let answer = try await prober.attempt(
                    try rows.insertion(into: table, b, 5), as: role, in: .entered(b, as: role),
                    before: ["SET LOCAL session_replication_role = replica"] + rows.nowhere(b))
                return answer.affected == 1 ? nil : describe(answer)
            }
        }
        return found
    }

    /// For tables that are no tenant's: whoever slips into the role has still not entered it.
    func checks(of table: String, _ rights: TenantTable.Rights) -> [Check] {
        let statements: [SQL] =
            (rights.selects ? ["SELECT FROM \(unsafeSQL: table)"] : [])
            + (rights.deletes ? ["DELETE FROM \(unsafeSQL: table)"] : [])
            + (rights.updatable.map { ["UPDATE \(unsafeSQL: table) SET \(identifier: $0) = \(identifier: $0)"] } ?? [])
        return statements.map { sql in
            Check(
                "a role that was slipped into does nothing by \(sql.text.prefix(6)) (\(table), \(rights.role))", table
            ) {
                prober in
                for context: Prober.Context in [.none, .entered(a, as: "orders_app")] {
                    let answer = try await prober.attempt(sql, as: rights.role, in: context)
                    guard answer.affected == 0 else { return describe(answer) }
                }
                return nil
            }
        }
    }

    // MARK: The owner

    private func owner(_ table: TenantTable) -> Check {
        Check("the owner of the tables sees no tenant's rows (\(table.name))", table.name) { prober in
            let answer = try await prober.attempt(count(table), as: nil)
            return answer.value() == "0/0" ? nil : "rows of A/of others: \(describe(answer))"
        }
    }

    private func count(_ table: TenantTable) -> SQL {
        """
        SELECT format('%s/%s', count(*) FILTER (WHERE tenant_id = \(a)), \
        count(*) FILTER (WHERE tenant_id IS DISTINCT FROM \(a))) FROM \(unsafeSQL: table.name)
        """
    }
}

/// What an answer was, for messages.
func describe(_ answer: Prober.Answer) -> String {
    switch answer {
    case .rows(let rows): "it answered \(answer.value(String.self) ?? rows.command)"
    case .refused(let error): "it was refused: \(error.debugDescription)"
    }
}

import Kernel
package import Logging
package import Postgres

/// The only way to tenants' data: it hands out transactions for a tenant and a context's role, and nothing less.
package final class DataPlane: Sendable {
    private let pool: PostgresPool
    private let deadline: Duration

    /// - Parameter deadline: how long a transaction may take, waiting for a connection included.
    package init(pool: PostgresPool, deadline: Duration = .seconds(10)) {
        self.pool = pool
        self.deadline = deadline
    }

    /// Runs a transaction that may write, and commits it when the body returns.
    ///
    /// A body that only enqueues costs one round trip, commit included. An error of the body rolls back and is thrown
    /// as it was.
    package func write<Result>(
        _ tenant: TenantContext, as role: ContextRole, _ body: (TenantTransaction) async throws -> Result
    ) async throws -> Result {
        try await transaction(.write(tenant, role)) { try await body(TenantTransaction($0, tenant: tenant)) }
    }

    /// Runs a transaction that can't write.
    package func read<Result>(
        _ tenant: TenantContext, as role: ContextRole, _ body: (TenantTransaction) async throws -> Result
    ) async throws -> Result {
        try await transaction(.read(tenant, role)) { try await body(TenantTransaction($0, tenant: tenant)) }
    }

    /// Runs one query in a read-only transaction of its own, in one round trip.
    package func query(_ tenant: TenantContext, as role: ContextRole, _ sql: SQL) async throws -> Rows {
        let prologue = Prologue.read(tenant, role).statements
        let until = ContinuousClock.now + deadline
        do {
            let results = try await pool.withConnection(deadline: until) { connection in
                try await connection.flight(prologue + [Statement(sql), .commit], deadline: until)
            }
            return results[prologue.count]
        } catch {
            throw translate(error)
        }
    }

    /// The door across tenants: for the control plane, relays and jobs, each use with its reason in the log.
    package func crossTenant<Result>(
        as role: CrossTenantRole, reason: StaticString, logger: Logger,
        _ body: (CrossTenantTransaction) async throws -> Result
    ) async throws -> Result {
        logger.debug("cross-tenant access", metadata: ["role": "\(role.name)", "reason": "\(reason)"])
        return try await transaction(.crossTenant(role, for: nil)) { try await body(CrossTenantTransaction($0)) }
    }

    /// The same door, for a change to one tenant made by the control plane.
    package func crossTenant<Result>(
        as role: CrossTenantRole, for tenant: TenantContext, reason: StaticString,
        _ body: (TenantTransaction) async throws -> Result
    ) async throws -> Result {
        tenant.logger.debug("cross-tenant access", metadata: ["role": "\(role.name)", "reason": "\(reason)"])
        return try await transaction(.crossTenant(role, for: tenant)) {
            try await body(TenantTransaction($0, tenant: tenant))
        }
    }

    private func transaction<Result>(
        _ prologue: Prologue, _ body: (Transaction) async throws -> Result
    ) async throws -> Result {
        let until = ContinuousClock.now + deadline
        var committed: [@Sendable () -> Void] = []
        do {
            let result = try await pool.withConnection(deadline: until) { connection in
                let transaction = Transaction(connection, prologue: prologue.statements, deadline: until)
                do {
                    let result = try await body(transaction)
                    try await transaction.commit()
                    committed = transaction.actionsAfterCommit
                    return result
                } catch {
                    await transaction.rollBack()
                    throw error
                }
            }
            for action in committed { action() }
            return result
        } catch {
            throw translate(error)
        }
    }
}

/// The first statements of a transaction: who it is for and what it may do.
private enum Prologue {
    case write(TenantContext, ContextRole)
    case read(TenantContext, ContextRole)
    case crossTenant(CrossTenantRole, for: TenantContext?)

    var statements: [Statement] {
        switch self {
        case .write(let tenant, let role): [.begin, role.enter, .setTenant(tenant.tenantID)]
        case .read(let tenant, let role): [.beginReadOnly, role.enter, .setTenant(tenant.tenantID)]
        case .crossTenant(let role, nil): [.begin, role.enter]
        case .crossTenant(let role, let tenant?): [.begin, role.enter, .setTenant(tenant.tenantID)]
        }
    }
}

extension Statement {
    static let begin = Statement("BEGIN")
    static let beginReadOnly = Statement("BEGIN READ ONLY")
    static let commit = Statement("COMMIT")
    static let rollback = Statement("ROLLBACK")

    /// A statement of its own, not `set_config` in a query, and never prepared, since its text differs by tenant.
    static func setTenant(_ tenant: TenantID) -> Statement {
        Statement("SET LOCAL atrium.tenant_id = '\(unsafeSQL: tenant.description)'", prepare: false)
    }
}

/// The database can't be reached, or has no room: nothing is wrong with what was asked, and it can be asked again.
///
/// A commit whose answer got lost may have happened; a command repeated with its `Idempotency-Key` finds out.
package struct DataPlaneUnavailable: Error, CustomStringConvertible {
    package let cause: PostgresError

    package var description: String { "the database is not available: \(cause)" }
}

/// What the database's refusals mean to the callers of a transaction.
private func translate(_ error: any Error) -> any Error {
    guard let error = error as? PostgresError else { return error }
    switch error.code {
    case .connectionLost, .connectFailed, .timeout, .poolExhausted, .poolClosed:
        return DataPlaneUnavailable(cause: error)
    default:
        return error.sqlState == "AT001" ? StaleVersion() : error
    }
}

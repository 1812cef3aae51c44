package import Kernel
package import Logging
package import Postgres

/// The only way to tenants' data: it hands out transactions for a tenant and a context's role, and nothing less.
///
/// Where the tenant lives is looked up here and nowhere else; callers can't tell and need not.
package final class DataPlane: Sendable {
    package let fleet: DatabaseFleet
    private let locator: any TenantLocator
    let signer: ContextSigner
    let deadline: Duration
    let audit = CrossTenantAudit()

    /// - Parameter deadline: how long a transaction may take, waiting for a connection included.
    package init(
        fleet: DatabaseFleet, locator: any TenantLocator, signer: ContextSigner, deadline: Duration = .seconds(10)
    ) {
        self.fleet = fleet
        self.locator = locator
        self.signer = signer
        self.deadline = deadline
    }

    // MARK: One tenant

    /// Runs a transaction that may write, and commits it when the body returns.
    ///
    /// A body that only enqueues costs one round trip, commit included. An error of the body rolls back and is thrown
    /// as it was.
    package func write<Result>(
        _ tenant: TenantContext, as role: ContextRole, _ body: (TenantTransaction) async throws -> Result
    ) async throws -> Result {
        let route = try await route(of: tenant, as: role)
        return try await transaction(
            on: route.database.primary, for: route.borrower,
            TransactionPlan(
                role: role.name, tenant: tenant, access: .write(route.durability), schemas: route.schemas,
                context: role.schema, database: route.database.id)
        ) { try await body(TenantTransaction($0, tenant: tenant)) }
    }

    /// Runs a transaction that can't write. The body may run again on another server where a replica lets it down.
    package func read<Result>(
        _ tenant: TenantContext, as role: ContextRole, _ body: (TenantTransaction) async throws -> Result
    ) async throws -> Result {
        let route = try await route(of: tenant, as: role)
        return try await reading(route, tenant.need) { pool, floor in
            try await self.transaction(
                on: pool, for: route.borrower,
                TransactionPlan(
                    role: role.name, tenant: tenant, access: .read(floor), schemas: route.schemas,
                    context: role.schema, database: route.database.id)
            ) { try await body(TenantTransaction($0, tenant: tenant)) }
        }
    }

    /// Runs one query in a read-only transaction of its own, in one round trip.
    ///
    /// - Parameter byIndex: for look-ups in tables that grow so fast that a plan may be older than most of a table.
    package func query(
        _ tenant: TenantContext, as role: ContextRole, byIndex: Bool = false, _ sql: SQL
    ) async throws -> Rows {
        let route = try await route(of: tenant, as: role)
        return try await reading(route, tenant.need) { pool, floor in
            let plan = TransactionPlan(
                role: role.name, tenant: tenant, access: .read(floor), schemas: route.schemas, context: role.schema,
                database: route.database.id)
            let until = ContinuousClock.now + self.deadline
            let resolved = Statement(plan.resolve(sql))
            return try await pool.withConnection(for: route.borrower, deadline: until) { connection in
                let prologue = plan.prologue(self.signer, connection) + (byIndex ? [.byIndex] : [])
                return try await connection.flight(prologue + [resolved, .commit], deadline: until)[prologue.count]
            }
        }
    }

    /// Runs one query for a tenant at a place that need not be its own, and shows what row security lets it see there.
    ///
    /// For those alone that look whether a tenant can see, or has left, anything where it does not live: audits, canaries.
    package func query(
        _ tenant: TenantContext, as role: ContextRole, at placement: Placement, _ sql: SQL
    ) async throws -> Rows {
        let pool = try fleet.database(placement.database).primary
        let plan = TransactionPlan(
            role: role.name, tenant: tenant, access: .read(nil), schemas: placement.schemas, context: role.schema,
            database: placement.database)
        let until = ContinuousClock.now + deadline
        // Each place has statements of its own, which no later one is like.
        let resolved = Statement(plan.resolve(sql), prepare: false)
        do {
            return try await pool.withConnection(deadline: until) { connection in
                let prologue = plan.prologue(self.signer, connection)
                return try await connection.flight(prologue + [resolved, .commit], deadline: until)[prologue.count]
            }
        } catch {
            throw translate(error)
        }
    }

    /// Where a tenant lives; throws `UnknownTenant`.
    package func residence(of tenant: TenantID) async throws -> Residence {
        if let known = locator.known(tenant) { return known }
        if tenant == .nobody { return Residence(nobodyIn: fleet.control) }
        guard let found = try await locator.residence(of: tenant) else { throw UnknownTenant(tenantID: tenant) }
        return found
    }

    /// Whether there was such a tenant, and is none any more.
    package func isGone(_ tenant: TenantID) async throws -> Bool { try await locator.isGone(tenant) }

    // MARK: Across tenants

    /// The door across tenants of one database: for the control plane, relays and jobs. Each use leaves its reason in
    /// `platform.cross_tenant_access`.
    package func crossTenant<Result>(
        in database: DatabaseID, as role: CrossTenantRole, reason: CrossTenantReason, actor: Actor = .operator,
        logger: Logger, _ body: (CrossTenantTransaction) async throws -> Result
    ) async throws -> Result {
        try await crossing(in: database, as: role, reason, for: nil, by: actor, logger) {
            try await body(CrossTenantTransaction($0))
        }
    }

    /// The same door in the control plane's database.
    package func control<Result>(
        reason: CrossTenantReason, actor: Actor = .operator, logger: Logger,
        _ body: (CrossTenantTransaction) async throws -> Result
    ) async throws -> Result {
        try await crossTenant(
            in: fleet.control, as: .controlPlane, reason: reason, actor: actor, logger: logger, body)
    }

    /// The same door, for a change that the control plane makes to one tenant.
    package func control<Result>(
        for tenant: TenantContext, reason: CrossTenantReason, _ body: (TenantTransaction) async throws -> Result
    ) async throws -> Result {
        try await crossing(
            in: fleet.control, as: .controlPlane, reason, for: tenant, by: tenant.actor, tenant.logger
        ) { try await body(TenantTransaction($0, tenant: tenant)) }
    }

    private func crossing<Result>(
        in id: DatabaseID, as role: CrossTenantRole, _ reason: CrossTenantReason, for tenant: TenantContext?,
        by actor: Actor, _ logger: Logger, _ body: (Transaction) async throws -> Result
    ) async throws -> Result {
        logger.debug("cross-tenant access", metadata: ["role": "\(role.name)", "reason": "\(reason.text)"])
        let database = try fleet.database(id)
        let entry = audit.entry(reason, as: role, of: tenant?.tenantID, by: actor, in: id)
        return try await transaction(
            on: database.primary, for: .system,
            TransactionPlan(
                role: role.name, tenant: tenant, access: .write(.on), schemas: .base, context: role.schema,
                database: id)
        ) { transaction in
            if let entry {
                transaction.enqueue(entry.statement)
                transaction.afterCommit(entry.committed)
            }
            return try await body(transaction)
        }
    }

    // MARK: Running

    private struct Route {
        let database: Database
        let schemas: SchemaSet
        let durability: Durability
        let borrower: PoolBorrower
    }

    private func route(of tenant: TenantContext, as role: ContextRole) async throws -> Route {
        if role.isOfControlPlane {
            return Route(
                database: try fleet.database(fleet.control), schemas: .base, durability: .on,
                borrower: .system)
        }
        let residence = try await residence(of: tenant.tenantID)
        return Route(
            database: try fleet.database(residence.placement.database), schemas: residence.placement.schemas,
            durability: residence.durability,
            borrower: PoolBorrower(
                key: tenant.tenantID.uuid, weight: residence.weight, cap: residence.connections))
    }

    /// Reads where the need allows, and from the primary where a replica lets the reader down.
    private func reading<Result>(
        _ route: Route, _ need: ReadNeed, _ body: (PostgresPool, ConsistencyToken?) async throws -> Result
    ) async throws -> Result {
        if let (pool, replica) = route.database.replica(for: need) {
            do {
                var floor: ConsistencyToken?
                if case .atLeast(let token) = need { floor = token }
                return try await body(pool, floor)
            } catch {
                guard let reason = Letdown(error) else { throw error }
                switch reason {
                case .behind: replica.isBehind()
                case .away(let cause): replica.failed(cause)
                case .conflict: break
                }
            }
        }
        do {
            return try await body(route.database.primary, nil)
        } catch {
            throw translate(error)
        }
    }

    private func transaction<Result>(
        on pool: PostgresPool, for borrower: PoolBorrower, _ plan: TransactionPlan,
        _ body: (Transaction) async throws -> Result
    ) async throws -> Result {
        let until = ContinuousClock.now + deadline
        var committed: [@Sendable () -> Void] = []
        do {
            let result = try await pool.withConnection(for: borrower, deadline: until) { connection in
                let transaction = Transaction(
                    connection, plan: plan, prologue: plan.prologue(signer, connection), deadline: until)
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

/// The database can't be reached, or has no room: nothing is wrong with what was asked, and it can be asked again.
///
/// A commit whose answer got lost may have happened; a command repeated with its `Idempotency-Key` finds out.
package struct DataPlaneUnavailable: Error, CustomStringConvertible {
    package let cause: PostgresError

    package init(cause: PostgresError) {
        self.cause = cause
    }

    package var description: String { "the database is not available: \(cause)" }
}

/// What the database's refusals mean to the callers of a transaction.
func translate(_ error: any Error) -> any Error {
    guard let error = error as? PostgresError else { return error }
    switch error.code {
    case .connectionLost, .connectFailed, .timeout, .poolExhausted, .poolClosed:
        return DataPlaneUnavailable(cause: error)
    default:
        // A primary that has become a replica takes no writes: whoever asks again finds the new one.
        if error.sqlState == "25006", error.message.contains("recovery") { return DataPlaneUnavailable(cause: error) }
        return error.sqlState == "AT001" ? StaleVersion() : error
    }
}

/// Why a replica could not serve a read that the primary can.
private enum Letdown {
    case behind
    case away(PostgresError)
    /// What it replays took the rows away that the query was reading.
    case conflict

    init?(_ error: any Error) {
        guard let error = (error as? DataPlaneUnavailable)?.cause ?? (error as? PostgresError) else { return nil }
        switch error.code {
        case .connectionLost, .connectFailed, .poolClosed: self = .away(error)
        // A busy pool says nothing against the replica, but the reader need not wait for it.
        case .poolExhausted: self = .conflict
        default:
            switch error.sqlState {
            case "AT002": self = .behind
            // 40001 is all that a hot standby says of a conflict with replay.
            case "40001": self = .conflict
            case "57P03": self = .away(error)
            default: return nil
            }
        }
    }
}

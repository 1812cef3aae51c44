import Kernel
package import Logging
import Postgres

/// What happens while a backfill runs, as it happens.
package enum BackfillEvent: Sendable {
    /// - Parameter total: keys so far, those of earlier runs included.
    case batch(Residence, keys: Int, total: Int64)
    case held(Residence, because: String)
    case repeated(Residence, after: any Error)
    case done(Residence, total: Int64)
    case failed(Residence, any Error)
}

/// Takes tenants through a backfill, batch by batch, each in a transaction of the tenant's own.
///
/// The transaction holds the batch and how far it came, so that whatever ends the process between two statements, another
/// run goes on with the next batch; several at once take turns.
package struct BackfillRun: Sendable {
    private let definition: BackfillDefinition
    private let role: ContextRole
    private let plane: DataPlane
    private let pace: BackfillPace
    private let logger: Logger
    private let report: @Sendable (BackfillEvent) -> Void

    /// - Parameter role: of the definition's context.
    package init(
        _ definition: BackfillDefinition, as role: ContextRole, plane: DataPlane, pace: BackfillPace = BackfillPace(),
        logger: Logger, report: @escaping @Sendable (BackfillEvent) -> Void
    ) {
        precondition(role.schema == definition.context, "a backfill runs in its context's role")
        self.definition = definition
        self.role = role
        self.plane = plane
        self.pace = pace
        self.logger = logger
        self.report = report
    }

    /// One that fails doesn't keep the others from their turn.
    ///
    /// - Returns: how many tenants failed.
    package func run(_ tenants: [Residence]) async throws -> Int {
        var failed = 0
        for tenant in tenants {
            do {
                try await fill(tenant)
            } catch {
                // A statement that is cancelled says so in words of its own.
                try Task.checkCancellation()
                failed += 1
                report(.failed(tenant, error))
            }
        }
        return failed
    }

    /// Runs the next batch and takes it back.
    ///
    /// - Returns: how many keys it went through.
    package func rehearse(_ tenant: Residence) async throws -> Int {
        do {
            _ = try await batch(of: context(of: tenant), isRehearsal: true)
            return 0
        } catch let rehearsal as Rehearsed {
            return rehearsal.keys
        }
    }

    private func context(of tenant: Residence) -> TenantContext {
        TenantContext(
            tenantID: tenant.tenantID, actor: .reaction("backfill \(definition.name)"), correlation: .new(),
            logger: logger)
    }

    private func fill(_ tenant: Residence) async throws {
        let context = context(of: tenant)
        while true {
            try Task.checkCancellation()
            try await holdBack(tenant)
            switch try await repeating(for: tenant, { try await batch(of: context) }) {
            case .done(let total): return report(.done(tenant, total: total))
            case .wentOn(let keys, let total): report(.batch(tenant, keys: keys, total: total))
            }
            if pace.pause > .zero { try await pace.rest(pace.pause) }
        }
    }

    // MARK: Giving way

    private func holdBack(_ tenant: Residence) async throws {
        // It may have been moved since.
        let server = try await plane.residence(of: tenant.tenantID).placement.database.server
        var isTold = false
        while let reason = plane.fleet.straggler(on: server, above: pace.maxLag) {
            if !isTold { report(.held(tenant, because: reason)) }
            isTold = true
            try await pace.rest(BackfillPace.look)
        }
    }

    /// A commit whose answer got lost is no reason to stop either: the next try reads how far it came.
    private func repeating(for tenant: Residence, _ body: () async throws -> Step) async throws -> Step {
        var tried = 0
        while true {
            do {
                return try await body()
            } catch {
                tried += 1
                let cause = (error as? DataPlaneUnavailable)?.cause ?? (error as? PostgresError)
                guard cause?.isRetriable == true, tried < pace.tries else { throw error }
                report(.repeated(tenant, after: error))
                try await pace.rest(pace.backoff(tried))
            }
        }
    }

    // MARK: A batch

    private enum Step {
        case done(total: Int64)
        case wentOn(keys: Int, total: Int64)
    }

    /// Ends a transaction that was for show.
    private struct Rehearsed: Error {
        let keys: Int
    }

    private func batch(of tenant: TenantContext, isRehearsal: Bool = false) async throws -> Step {
        try await plane.write(tenant, as: role) { transaction in
            let (last, total, isDone) = try await progress(transaction)
            if isDone { return .done(total: total) }
            let limit = pace.batch ?? definition.batch
            let keys = try definition.keys(
                in: try await transaction.rowsWriting(definition.statement(after: last, limit: limit)))
            guard !keys.isEmpty else {
                if isRehearsal { throw Rehearsed(keys: 0) }
                transaction.enqueue(
                    """
                    UPDATE platform.backfill_progress SET done_at = now(), updated_at = now()
                    WHERE tenant_id = platform.tenant_id() AND backfill = \(definition.name)
                    """)
                return .done(total: total)
            }
            let (reached, hasMoved) = try await transaction.rowsWriting(definition.last(of: keys, after: last))[0]
                .decode((String, Bool).self)
            guard hasMoved else { throw BackfillFault.standsStill(definition.name) }
            let count = Set(keys).count
            transaction.enqueue(
                """
                UPDATE platform.backfill_progress
                SET last_key = \(reached), rows = rows + \(Int64(count)), updated_at = now()
                WHERE tenant_id = platform.tenant_id() AND backfill = \(definition.name)
                """)
            if isRehearsal { throw Rehearsed(keys: count) }
            return .wentOn(keys: count, total: total + Int64(count))
        }
    }

    /// Reads how far the tenant is, and keeps others who would take the same batch waiting.
    private func progress(_ transaction: TenantTransaction) async throws -> (String?, Int64, Bool) {
        let milliseconds = String(Int64(pace.lockTimeout / .milliseconds(1)))
        transaction.enqueue("SET LOCAL lock_timeout = \(unsafeSQL: milliseconds)")
        // With a plan for any value, `:after IS NULL OR …` could not use an index.
        transaction.enqueue("SET LOCAL plan_cache_mode = force_custom_plan")
        transaction.enqueue(
            """
            INSERT INTO platform.backfill_progress (tenant_id, backfill)
            VALUES (platform.tenant_id(), \(definition.name)) ON CONFLICT DO NOTHING
            """)
        return try await transaction.rowsWriting(
            """
            SELECT last_key, rows, done_at IS NOT NULL FROM platform.backfill_progress
            WHERE tenant_id = platform.tenant_id() AND backfill = \(definition.name) FOR UPDATE
            """)[0].decode((String?, Int64, Bool).self)
    }
}

import Kernel
import Postgres

/// How a transaction begins, what it may do, and what its statements mean by a schema's name.
struct TransactionPlan {
    enum Access {
        case write(Durability)
        /// - Parameter floor: what a replica must have replayed.
        case read(ConsistencyToken?)
    }

    let role: String
    let tenant: TenantContext?
    let access: Access
    let schemas: SchemaSet
    let context: String
    let database: DatabaseID

    func prologue(_ signer: ContextSigner, _ connection: PostgresConnection) -> [Statement] {
        let entrance = signer.entering(role, for: tenant?.tenantID, on: connection)
        switch access {
        case .write(.on): return [.begin] + entrance
        case .write(let durability):
            let commitment: SQL = "SET LOCAL synchronous_commit = \(unsafeSQL: durability.rawValue)"
            return [.begin, Statement(commitment, isLocal: true)] + entrance
        case .read(nil): return [.beginReadOnly] + entrance
        case .read(let floor?):
            return [.beginReadOnly, Statement("SELECT platform.require_replayed(\(floor.logPosition)::text::pg_lsn)")]
                + entrance
        }
    }

    /// Puts the tenant's own schemas into a statement.
    func resolve(_ sql: SQL) -> SQL {
        schemas == .base ? sql : sql.replacingText(with: schemas.resolve(sql.text, context: context))
    }

    var isWriting: Bool {
        if case .write = access { true } else { false }
    }
}

extension Statement {
    static let begin = Statement("BEGIN")
    static let beginReadOnly = Statement("BEGIN READ ONLY")
    static let byIndex = Statement("SET LOCAL enable_seqscan = off", isLocal: true)
    static let commit = Statement("COMMIT")
    static let rollback = Statement("ROLLBACK")
    /// Goes down behind the COMMIT in the same flight: the log has come at least as far as the commit's own record.
    static let logPosition = Statement("SELECT pg_current_wal_insert_lsn()::text")
}

import Failpoints
package import Postgres

/// Statements held back until they can leave together.
///
/// Reads go down as they are asked. Writes wait for the commit, so that a transaction takes its number after its last
/// read of an aggregate: that keeps the outbox's commit order and one aggregate's order of versions the same.
final class Transaction {
    private let connection: PostgresConnection
    private let plan: TransactionPlan
    private let deadline: ContinuousClock.Instant
    private var prologue: [Statement]
    private var writes: [Statement] = []
    private var receiptKey: String?
    private var hasWritten = false
    private(set) var actionsAfterCommit: [@Sendable () -> Void] = []
    private var crashTested: [String] = []

    init(
        _ connection: PostgresConnection, plan: TransactionPlan, prologue: [Statement],
        deadline: ContinuousClock.Instant
    ) {
        self.connection = connection
        self.plan = plan
        self.prologue = prologue
        self.deadline = deadline
    }

    func enqueue(_ sql: SQL) {
        enqueue(Statement(plan.resolve(sql)))
    }

    func enqueue(_ statement: Statement) {
        writes.append(statement)
    }

    func rows(_ sql: SQL) async throws -> Rows {
        guard !hasWritten else { throw ReadAfterWrite() }
        return try await fly(prologue + [Statement(plan.resolve(sql))])
    }

    func rowsWriting(_ sql: SQL) async throws -> Rows {
        hasWritten = true
        let before = writes
        writes = []
        return try await fly(prologue + before + [Statement(plan.resolve(sql))])
    }

    func enqueue(_ receipt: CommandReceipt, table: String) {
        receiptKey = receipt.key
        writes.append(
            Statement(
                """
                INSERT INTO \(unsafeSQL: table) (tenant_id, key, fingerprint, status, header_names, header_values, body)
                VALUES (platform.tenant_id(), \(receipt.key), \(receipt.fingerprint), \(receipt.status), \
                \(receipt.headers.map(\.name)), \(receipt.headers.map(\.value)), \(receipt.body))
                """))
    }

    var database: DatabaseID { plan.database }

    func afterCommit(_ action: @escaping @Sendable () -> Void) {
        actionsAfterCommit.append(action)
    }

    func crashTested(as name: String) {
        if !crashTested.contains(name) { crashTested.append(name) }
    }

    func commit() async throws {
        for name in crashTested { try await Failpoint.reach("\(name).before-commit") }
        try await sendCommit()
        for name in crashTested { try await Failpoint.reach("\(name).after-commit") }
    }

    private func sendCommit() async throws {
        guard !writes.isEmpty || prologue.isEmpty else { return }
        let last = writes
        writes = []
        guard plan.isWriting, let tenant = plan.tenant else {
            _ = try await fly(prologue + last + [.commit])
            return
        }
        let rows = try await fly(prologue + last + [.commit, .logPosition])
        if let position = ConsistencyToken.position(try rows[0].decode(String.self)) {
            tenant.progress.record(ConsistencyToken(server: plan.database.server, position: position))
        }
    }

    /// Leaves the connection to the pool as it found it, or broken, in which case the pool destroys it.
    func rollBack() async {
        guard connection.isInTransaction else { return }
        _ = try? await connection.flight([.rollback], deadline: deadline)
    }

    private func fly(_ statements: [Statement]) async throws -> Rows {
        prologue = []
        do {
            let results = try await connection.flight(statements, deadline: deadline)
            return results[results.count - 1]
        } catch let error as PostgresError where error.isReceiptViolation {
            throw ReceiptExists(key: receiptKey ?? "")
        }
    }
}

extension PostgresError {
    fileprivate var isReceiptViolation: Bool {
        sqlState == "23505" && constraint?.hasSuffix("receipts_pkey") == true
    }
}

/// A transaction asked for an aggregate after it had already written: its events could then be published out of order.
package struct ReadAfterWrite: Error, CustomStringConvertible {
    package var description: String {
        "a transaction reads what it decides on before its first write; move the read up or use rowsWriting"
    }
}

/// A transaction of one tenant, in one context's role.
package final class TenantTransaction {
    package let tenant: TenantContext
    private let transaction: Transaction

    /// Where the tenant lives, for those who wake others up after the commit; it makes no difference to any statement.
    package var database: DatabaseID { transaction.database }

    init(_ transaction: Transaction, tenant: TenantContext) {
        self.transaction = transaction
        self.tenant = tenant
    }

    /// Adds a statement that leaves with the commit; its failure is thrown there and undoes everything.
    package func enqueue(_ sql: SQL) {
        transaction.enqueue(sql)
    }

    /// Adds an `UPDATE` or `DELETE` (without `RETURNING`) that must touch exactly one row; otherwise the commit throws
    /// `StaleVersion` and nothing has changed.
    package func enqueueExpectingOne(_ change: SQL) {
        transaction.enqueue(
            "WITH changed AS (\(change) RETURNING 1) SELECT platform.require_one((SELECT count(*) FROM changed))")
    }

    /// Keeps the answer to a command beside its effect; a key that was used before makes the commit throw `ReceiptExists`.
    package func enqueue(_ receipt: CommandReceipt, in schema: StaticString) {
        transaction.enqueue(receipt, table: "\(schema).receipts")
    }

    /// Reads now, one round trip. Not after a write has gone down: see `ReadAfterWrite`.
    package func rows(_ sql: SQL) async throws -> Rows {
        try await transaction.rows(sql)
    }

    /// Sends what is enqueued and a statement that writes and returns rows, such as `UPDATE … RETURNING`.
    package func rowsWriting(_ sql: SQL) async throws -> Rows {
        try await transaction.rowsWriting(sql)
    }

    /// Gives crash tests two places to strike at: `<name>.before-commit` and `<name>.after-commit`.
    package func crashTested(as name: StaticString) {
        transaction.crashTested(as: "\(name)")
    }

    /// Runs an action once the transaction has committed, and never if it has not.
    package func afterCommit(_ action: @escaping @Sendable () -> Void) {
        transaction.afterCommit(action)
    }
}

/// A transaction that sees every tenant's rows of the tables its role was given.
package final class CrossTenantTransaction {
    private let transaction: Transaction

    init(_ transaction: Transaction) {
        self.transaction = transaction
    }

    package func enqueue(_ sql: SQL) {
        transaction.enqueue(sql)
    }

    package func rows(_ sql: SQL) async throws -> Rows {
        try await transaction.rows(sql)
    }

    package func rowsWriting(_ sql: SQL) async throws -> Rows {
        try await transaction.rowsWriting(sql)
    }
}

package import Kernel
import Postgres
import Tenancy

extension DeadLetters {
    /// Closes a letter and lets its key go where it was the last; whether the key is free now.
    ///
    /// - Parameter reactions: which of them shall never happen, for a letter that is discarded and names none itself.
    func close(
        _ located: Located, as resolution: DeadLetter.Resolution, by actor: String, reason: String?,
        reactions: [String] = []
    ) async throws -> Bool {
        let letter = located.letter
        if resolution == .discarded { try await refuseForGood(letter, letter.reaction.map { [$0] } ?? reactions) }
        return try await crossTenant(.once("close a dead letter"), in: located.database) { transaction in
            // First, like whoever adds a letter.
            if let key = letter.eventKey { try await parkedKeys.lock(key, in: transaction) }
            let closed = try await transaction.rowsWriting(
                """
                UPDATE \(unsafeSQL: schema).dead_letters
                SET resolved_at = now(), resolution = \(resolution.rawValue), resolved_by = \(actor),
                    resolution_reason = \(reason)
                WHERE id = \(letter.id) AND resolved_at IS NULL RETURNING true
                """)
            if !closed.isEmpty {
                let act = resolution == .replayed ? "replay" : "discard"
                transaction.enqueue(action(act, letter, actor, reason, "done"))
            }
            guard let key = letter.eventKey else { return false }
            return try await parkedKeys.release(key, in: transaction)
        }
    }

    /// Keeps why a letter failed once more: its key is parked for that now.
    func note(_ why: String, of located: Located, by actor: String) async throws {
        let letter = located.letter
        let why = keepable(why) ?? "unprintable"
        let kind = letter.kind == .waiting ? DeadLetter.Kind.failed : letter.kind
        try await crossTenant(.once("note that a dead letter fails still"), in: located.database) { transaction in
            transaction.enqueue(
                """
                UPDATE \(unsafeSQL: schema).dead_letters
                SET kind = \(kind.rawValue), reason = \(why), attempts = attempts + 1
                WHERE id = \(letter.id) AND resolved_at IS NULL
                """)
            if let key = letter.eventKey {
                transaction.enqueue(
                    """
                    UPDATE \(unsafeSQL: schema).parked_keys SET kind = \(kind.rawValue), reaction = \(letter.reaction), \
                    reason = \(why)
                    WHERE tenant_id = \(key.tenantID) AND topic = \(key.topic) AND key = \(key.key)
                    """)
            }
            transaction.enqueue(action("replay", letter, actor, nil, "failed: \(why)"))
        }
    }

    private func action(
        _ action: String, _ letter: DeadLetter, _ actor: String, _ reason: String?, _ outcome: String
    ) -> SQL {
        let id: Identifier<Void> = IdentifierSource.system.next()
        let subject = [
            "letter \(letter.id.canonical)", letter.eventKey.map { "key \($0)" }, letter.eventType,
            letter.reaction,
        ].compactMap(\.self).joined(separator: ", ")
        return """
            INSERT INTO \(unsafeSQL: schema).operator_actions (id, tenant_id, actor, action, subject, reason, outcome)
            VALUES (\(id), \(letter.tenantID), \(actor), \(action), \(subject), \(reason), \(outcome))
            """
    }

    /// What was done about events, newest first.
    package func actions(limit: Int = 100) async throws -> [OperatorAction] {
        var found: [OperatorAction] = []
        for database in try await databases() {
            found += try await crossTenant(.once("read what operators did"), in: database) {
                try await $0.rows(
                    """
                    SELECT at, actor, action, tenant_id, subject, reason, outcome
                    FROM \(unsafeSQL: schema).operator_actions ORDER BY at DESC LIMIT \(limit)
                    """)
            }.map { try OperatorAction($0) }
        }
        return Array(found.sorted { $0.at > $1.at }.prefix(limit))
    }

    func crossTenant<Result>(
        _ reason: CrossTenantReason, in database: DatabaseID,
        _ body: (CrossTenantTransaction) async throws -> Result
    ) async throws -> Result {
        try await dataPlane.crossTenant(in: database, as: role, reason: reason, logger: logger, body)
    }
}

/// What somebody did about an event, and why.
package struct OperatorAction: Hashable, Sendable {
    package let at: Timestamp
    package let actor: String
    package let action: String
    package let tenantID: TenantID?
    package let subject: String
    package let reason: String?
    package let outcome: String

    init(_ row: Row) throws {
        (at, actor, action, tenantID, subject, reason, outcome) = try row.decode(
            (Timestamp, String, String, TenantID?, String, String?, String).self)
    }
}

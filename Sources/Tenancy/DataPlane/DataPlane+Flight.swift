package import Logging
package import Postgres

extension DataPlane {
    /// Runs statements in one transaction across tenants and commits it, all in one round trip; answers the rows of each.
    ///
    /// For those who know beforehand what they will ask: the first failure undoes all of them.
    ///
    /// - Parameter durability: `off` for what can be done again after a crash of the server.
    package func crossTenant(
        in id: DatabaseID, as role: CrossTenantRole, reason: CrossTenantReason, durability: Durability = .on,
        actor: Actor = .operator, logger: Logger, flight statements: [Statement]
    ) async throws -> [Rows] {
        logger.debug("cross-tenant access", metadata: ["role": "\(role.name)", "reason": "\(reason.text)"])
        let database = try fleet.database(id)
        let entry = audit.entry(reason, as: role, of: nil, by: actor, in: id)
        let plan = TransactionPlan(
            role: role.name, tenant: nil, access: .write(durability), schemas: .base, context: role.schema, database: id
        )
        let until = ContinuousClock.now + deadline
        do {
            let results = try await database.primary.withConnection(for: .system, deadline: until) { connection in
                let prologue = plan.prologue(signer, connection) + (entry.map { [$0.statement] } ?? [])
                do {
                    let results = try await connection.flight(
                        prologue + statements + [.commit], deadline: until)
                    return Array(results[prologue.count..<(prologue.count + statements.count)])
                } catch {
                    if connection.isInTransaction {
                        _ = try? await connection.flight([.rollback], deadline: until)
                    }
                    throw error
                }
            }
            entry?.committed()
            return results
        } catch {
            throw translate(error)
        }
    }
}

import Billing
import Kernel
import Postgres
import Tenancy

extension ContextRole {
    static let billing = ContextRole.app("billing")
}

/// The tenant's account, in a transaction that others may have begun.
struct PostgresAccountRepository: AccountRepository {
    let transaction: TenantTransaction

    func insertIfAbsent(_ account: Account) async throws {
        transaction.enqueue(
            """
            INSERT INTO billing.accounts (tenant_id, id, state, opened_at, version)
            VALUES (\(transaction.tenant.tenantID), \(account.id), \(account.state.rawValue), \(account.openedAt), \
            \(account.version))
            ON CONFLICT (tenant_id, id) DO NOTHING
            """)
    }
}

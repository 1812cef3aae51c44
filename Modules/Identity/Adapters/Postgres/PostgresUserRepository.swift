import Identity
import Kernel
import Logging
import Postgres
import Tenancy

/// Users of the tenants that people log in to.
struct PostgresUserRepository: UserRepository {
    let dataPlane: DataPlane
    let callers: CallerCache
    let logger: Logger

    func find(_ email: EmailAddress?, of tenant: TenantID?) async throws -> User? {
        let context = TenantContext.admission(to: tenant ?? .nobody, named: "log-in", logger: logger)
        let rows = try await dataPlane.query(
            context, as: .identity,
            """
            SELECT \(UserRow.columns) FROM identity.users
            WHERE tenant_id = \(context.tenantID) AND email = \(email?.text ?? "")
            """)
        return try rows.first.map(UserRow.user)
    }

    func update(_ id: UserID, of tenant: TenantID, _ change: (inout User) -> Void) async throws -> User? {
        let context = TenantContext.admission(to: tenant, named: "change-user", logger: logger)
        // The change decides on what it finds, so that a lost race is run again instead of reported.
        for _ in 0..<3 {
            let rows = try await dataPlane.query(
                context, as: .identity,
                """
                SELECT \(UserRow.columns) FROM identity.users WHERE tenant_id = \(tenant) AND user_id = \(id)
                """)
            guard var user = try rows.first.map(UserRow.user) else { return nil }
            let before = user.version
            change(&user)
            do {
                try await save(user, readAt: before, in: context)
                return user
            } catch is StaleVersion {
                continue
            }
        }
        throw StaleVersion()
    }

    private func save(_ user: User, readAt version: Int64, in context: TenantContext) async throws {
        guard !user.recordedEvents.isEmpty else { return }
        try await dataPlane.write(context, as: .identity) { transaction in
            transaction.enqueueExpectingOne(
                """
                UPDATE identity.users SET password_hash = \(user.passwordHash.text), \
                status = \(user.status.rawValue), updated_at = \(user.updatedAt), version = \(user.version)
                WHERE tenant_id = \(context.tenantID) AND user_id = \(user.id) AND version = \(version)
                """)
            if user.status == .disabled {
                transaction.afterCommit { [callers] in callers.forget(.user(user.id), of: context.tenantID) }
            }
        }
    }
}

/// How a user reads from and goes into its table.
enum UserRow {
    static let columns: SQL = "user_id, email, name, password_hash, role, status, created_at, updated_at, version"

    static func user(_ row: Row) throws -> User {
        let (id, email, name, hash, role, status, created, updated, version) = try row.decode(
            (UserID, String, String, String, String, String, Timestamp, Timestamp, Int64).self)
        return User(
            restoring: User.Saved(
                id: id, email: EmailAddress(restoring: email), name: DisplayText(restoring: name),
                passwordHash: PasswordHash(hash), role: try known(role), status: try known(status),
                createdAt: created, updatedAt: updated, version: version))
    }
}

extension User {
    func insertion(for tenantID: TenantID) -> SQL {
        """
        INSERT INTO identity.users (tenant_id, user_id, email, name, password_hash, role, status, created_at, \
        updated_at, version)
        VALUES (\(tenantID), \(id), \(email.text), \(name.text), \(passwordHash.text), \(role.rawValue), \
        \(status.rawValue), \(createdAt), \(updatedAt), \(version))
        """
    }
}

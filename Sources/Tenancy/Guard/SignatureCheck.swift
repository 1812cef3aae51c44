import Kernel
import Postgres

/// Tries to enter as the program does, and as somebody would who has no key.
struct SignatureCheck {
    let files: MigrationFiles
    let key: ContextKey

    func findings(_ connection: PostgresConnection, _ deadline: ContinuousClock.Instant) async throws -> [String] {
        var findings: Set<String> = []
        let tenant: TenantID = IdentifierSource.system.next()
        for context in files.contexts {
            let role = "\(context)_app"
            let attempt = Attempt(
                connection: connection, role: role,
                subject: "\(TenantSchemas.suffix(of: tenant).dropFirst()),\(role)", deadline: deadline)
            let outcome = try await attempt.enter(until: 0) { key.code(for: "\(attempt.subject),\($0)") }
            switch outcome {
            case .impossible:
                findings.insert("the login may not become \(role); run `atrium migrate`")
                continue
            case .refused:
                findings.insert(
                    """
                    the database does not accept what this program signs; run `atrium migrate` with this program's \
                    ATRIUM_SECRET
                    """)
            case .entered(let found) where found != tenant:
                findings.insert(
                    """
                    platform.tenant_id() does not answer with the tenant that was entered; put it back as in \
                    schemas/sql/platform
                    """)
            case .entered: break
            }
            for (what, until, sign) in forgeries(of: attempt.subject) {
                if case .entered = try await attempt.enter(until: until, sign) {
                    findings.insert(
                        "platform.enter accepts a context that is \(what); put it back as in schemas/sql/platform")
                }
            }
        }
        return findings.sorted()
    }

    private func forgeries(of subject: String) -> [(String, Int64, (Int32) -> [UInt8])] {
        [
            ("signed by nobody", 0, { _ in [UInt8](repeating: 0, count: 32) }),
            ("signed for another session", 0, { key.code(for: "\(subject),\($0 + 1)") }),
            ("signed for another tenant", 0, { key.code(for: "\(other(subject)),\($0)") }),
            ("signed for a time that is over", 1, { _ in key.code(for: "\(subject),until 1") }),
        ]
    }

    private func other(_ subject: String) -> String {
        (subject.first == "0" ? "1" : "0") + subject.dropFirst()
    }

    private enum Outcome {
        case entered(TenantID?)
        case refused
        /// The login has no such role.
        case impossible
    }

    /// Transactions that are rolled back.
    private struct Attempt {
        let connection: PostgresConnection
        let role: String
        let subject: String
        let deadline: ContinuousClock.Instant

        /// - Parameter sign: takes the number of the session as the server has it; a pooler in between has its own.
        func enter(until: Int64, _ sign: (Int32) -> [UInt8]) async throws -> Outcome {
            let opened = try await run(["BEGIN", "SET LOCAL ROLE \(identifier: role)", "SELECT pg_backend_pid()"])
            guard let opened else { return .impossible }
            let mac = sign(try opened[2][0].decode(Int32.self))
            let entered = try await run([
                "SELECT platform.enter(\(subject), \(until), \(mac))", "SELECT platform.tenant_id()", "ROLLBACK",
            ])
            return try entered.map { .entered(try $0[1][0].decode(TenantID?.self)) } ?? .refused
        }

        /// Nothing where the server refuses.
        private func run(_ statements: [SQL]) async throws -> [Rows]? {
            do {
                return try await connection.run(statements, deadline: deadline)
            } catch let error as PostgresError where error.sqlState != nil && connection.isOpen {
                await connection.leaveTransaction()
                return nil
            }
        }
    }
}

import Kernel
import Postgres
import TestSupport

@testable import Tenancy

/// Tries statements as the program's roles would, each undone afterwards; runs inside a transaction of a superuser.
struct Prober: Sendable {
    let connection: PostgresConnection

    enum Answer: Sendable {
        case rows(Rows)
        case refused(PostgresError)

        var sqlState: String? {
            if case .refused(let error) = self { error.sqlState } else { nil }
        }
        var constraint: String? {
            if case .refused(let error) = self { error.constraint } else { nil }
        }
        var affected: Int? {
            if case .rows(let rows) = self { rows.affected } else { nil }
        }
        func value<Value: PostgresDecodable>(_ type: Value.Type = Value.self) -> Value? {
            if case .rows(let rows) = self { try? rows.first?.decode(Value.self) } else { nil }
        }
    }

    /// Whom a transaction was opened for, and in which role.
    enum Context: Sendable {
        case none
        case entered(TenantID?, as: String)
        /// What a caller hands to `platform.enter` itself.
        case claiming(String, validUntil: Int64, mac: [UInt8])
    }

    /// - Parameters:
    ///   - role: the role that the statement runs in, `nil` for the owner of all tables.
    ///   - before: run first, past every fence.
    func attempt(
        _ sql: SQL, as role: String?, in context: Context = .none, before: [SQL] = [], prelude: [SQL] = []
    ) async throws -> Answer {
        var statements: [SQL] = ["SAVEPOINT probe"] + before
        if let role {
            statements.append("SET LOCAL SESSION AUTHORIZATION atrium_app")
            statements += entrance(context, role)
            statements.append("SET LOCAL ROLE \(identifier: role)")
        } else {
            statements.append("SET LOCAL ROLE atrium_owner")
        }
        statements += prelude
        let undo: SQL = "ROLLBACK TO SAVEPOINT probe"
        do {
            let results = try await connection.flight(
                (statements + [sql, undo]).map { Statement($0, prepare: false) })
            return .rows(results[statements.count])
        } catch let error as PostgresError where error.sqlState != nil {
            _ = try await connection.flight([Statement(undo, prepare: false)])
            guard let index = error.statementIndex, index > before.count else { throw error }
            return .refused(error)
        }
    }

    private func entrance(_ context: Context, _ role: String) -> [SQL] {
        switch context {
        case .none: return []
        case .entered(let tenant, let opened):
            let text = Self.context(tenant, opened)
            return [
                "SET LOCAL ROLE \(identifier: opened)",
                "SELECT platform.enter(\(text), 0, \(Self.mac(text, boundTo: connection.serverProcess ?? 0)))",
            ]
        case .claiming(let text, let until, let mac):
            return ["SET LOCAL ROLE \(identifier: role)", "SELECT platform.enter(\(text), \(until), \(mac))"]
        }
    }

    static func context(_ tenant: TenantID?, _ role: String) -> String {
        "\(tenant?.hexDigits ?? String(repeating: "0", count: 32)),\(role)"
    }

    static func mac(_ context: String, boundTo process: Int32) -> [UInt8] {
        TestDataPlane.contextKey.code(for: "\(context),\(process)")
    }

    static func mac(_ context: String, until: Int64) -> [UInt8] {
        TestDataPlane.contextKey.code(for: "\(context),until \(until)")
    }
}

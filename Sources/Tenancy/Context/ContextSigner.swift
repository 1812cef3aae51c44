import Foundation
import Kernel
import Postgres

/// Opens transactions: puts down whom each is for, in a way that no statement inside it can.
package struct ContextSigner: Sendable {
    private let key: ContextKey
    /// How long a signature holds that is not bound to a connection; `nil` binds it.
    private let validity: Duration?

    /// - Parameter throughPooler: whether something between here and the server hands each transaction to another server
    ///   process, so that a signature can't be bound to one. It is bound to the next minute instead.
    package init(_ key: ContextKey, throughPooler: Bool = false) {
        self.key = key
        validity = throughPooler ? .seconds(60) : nil
    }

    /// Steps into the role for the tenant, or for none where the role works across tenants.
    func entering(_ role: String, for tenant: TenantID?, on connection: PostgresConnection) -> [Statement] {
        let context = "\(tenant?.hexDigits ?? Self.noTenant),\(role)"
        let until: Int64
        let bound: String
        if let validity {
            until = Int64(Date().timeIntervalSince1970) + validity.components.seconds
            bound = "until \(until)"
        } else {
            until = 0
            bound = String(connection.serverProcess ?? 0)
        }
        return [
            Statement("SET LOCAL ROLE \(unsafeSQL: role)", isLocal: true),
            Statement("SELECT platform.enter(\(context), \(until), \(key.code(for: "\(context),\(bound)")))"),
        ]
    }

    private static let noTenant = String(repeating: "0", count: 32)
}

import Kernel
import Logging
import Tenancy

extension ContextRole {
    static let identity = ContextRole.app("identity")
    /// Reads the control plane's word on one tenant.
    static let control = ContextRole.app("control")
}

extension TenantContext {
    /// For work that is done for a tenant before anybody is known to have asked for it: logging in, checking a key.
    static func admission(to tenantID: TenantID, named name: String, logger: Logger) -> TenantContext {
        TenantContext(tenantID: tenantID, actor: .reaction(name), correlation: .new(), logger: logger)
    }
}

/// The table holds what this version of the program can't have written.
struct UnreadableIdentity: Error, CustomStringConvertible {
    let what: String

    var description: String { "unknown \(what) in the database; was it written by a newer version?" }
}

/// The case of that name.
func known<Value: RawRepresentable<String>>(_ name: String, _ type: Value.Type = Value.self) throws -> Value {
    guard let value = Value(rawValue: name) else { throw UnreadableIdentity(what: "\(type) '\(name)'") }
    return value
}

import Crypto
import HTTPTypes
import Kernel
import Logging
import Telemetry
import Tenancy

/// Lets requests through to endpoints: who calls, and may they?
struct Gate: Sendable {
    let authenticator: any Authenticator
    let cursors: CursorSeal
    /// Hashes are compared, so that neither the key's bytes nor its length show in the time it takes.
    private let operatorKeyHash: [UInt8]

    init(authenticator: any Authenticator, operatorKey: String, secret: [UInt8]) {
        self.authenticator = authenticator
        cursors = CursorSeal(secret: secret)
        operatorKeyHash = Array(SHA256.hash(data: Array(operatorKey.utf8)))
    }

    struct Admission: Sendable {
        let caller: TenantCaller?
        let logger: Logger
    }

    /// `logger` names the request and the operation already.
    func admit(_ incoming: Incoming, under rule: AccessRule, _ logger: Logger) async throws -> Admission {
        switch rule {
        case .open: return open(incoming, logger)
        case .operatorOnly:
            guard isOperator(try bearer(incoming)) else { throw unauthenticated(isInvalid: true) }
            return open(incoming, logger)
        case .operatorOrTenant(let access):
            if isOperator(try bearer(incoming)) { return open(incoming, logger) }
            return try await admitTenant(incoming, access, logger)
        case .tenant(let access):
            return try await admitTenant(incoming, access, logger)
        }
    }

    private func admitTenant(_ incoming: Incoming, _ access: TenantAccess, _ logger: Logger) async throws -> Admission {
        guard let caller = try await authenticator.authenticate(bearer: bearer(incoming)) else {
            throw unauthenticated(isInvalid: true)
        }
        try refuseOtherTenant(than: caller, incoming.headers)
        if access == .write {
            guard caller.mayWrite else { throw Problem(.forbidden, "These credentials may only read.") }
            guard !caller.isSuspended else { throw Problem(.tenantSuspended) }
        }
        let tenant = TenantContext(
            tenantID: caller.tenantID, actor: caller.actor, correlation: incoming.correlation,
            need: try need(of: incoming), progress: incoming.progress, logger: logger)
        return Admission(caller: TenantCaller(caller: caller, tenant: tenant), logger: tenant.logger)
    }

    /// What changes something decides on what is; what only reads says how new that must be.
    private func need(of incoming: Incoming) throws -> ReadNeed {
        guard incoming.method == .get || incoming.method == .head else { return .latest }
        let fields = incoming.headers[values: .consistency]
        guard let field = fields.first else { return .any }
        guard fields.count == 1, let token = ConsistencyToken(field) else {
            throw Problem(
                .invalidParameter,
                violations: [
                    Violation("must be one token as an answer gave it", at: .header("Atrium-Consistency"))
                ])
        }
        return .atLeast(token)
    }

    private func isOperator(_ key: String) -> Bool {
        isSame(operatorKeyHash, Array(SHA256.hash(data: Array(key.utf8))))
    }

    private func open(_ incoming: Incoming, _ logger: Logger) -> Admission {
        var logger = logger
        logger[metadataKey: LogKey.correlation] = .stringConvertible(incoming.correlation.id)
        return Admission(caller: nil, logger: logger)
    }

    private func bearer(_ incoming: Incoming) throws -> String {
        let fields = incoming.headers[values: .authorization]
        guard let field = fields.first else { throw unauthenticated(isInvalid: false) }
        let utf8 = field.utf8
        guard fields.count == 1, utf8.count > 7, utf8.prefix(6).elementsEqual("bearer".utf8, by: { $0 | 0x20 == $1 }),
            utf8.dropFirst(6).first == UInt8(ascii: " ")
        else { throw unauthenticated(isInvalid: true) }
        return String(field[utf8.index(utf8.startIndex, offsetBy: 7)...])
    }

    /// RFC 6750, section 3.1: no error code where no credentials were sent.
    private func unauthenticated(isInvalid: Bool) -> Problem {
        let challenge = isInvalid ? "Bearer realm=\"atrium\", error=\"invalid_token\"" : "Bearer realm=\"atrium\""
        return Problem(.unauthenticated, headers: [.wwwAuthenticate: challenge])
    }

    private func refuseOtherTenant(than caller: Caller, _ headers: HTTPFields) throws {
        for name in headers[values: .tenantID] where name != caller.tenantSlug {
            guard TenantID(name) == caller.tenantID else { throw Problem(.tenantMismatch) }
        }
    }
}

package import Identity
import Kernel
package import Web

extension ProblemType {
    static let slugTaken = ProblemType(
        "slug-taken", 409, "The slug belongs to another tenant", "Choose another slug: they are never given out twice.")
    static let illegalTenantMove = ProblemType(
        "illegal-tenant-move", 409, "The tenant can't go from its state to that one",
        "Read the tenant again: its state says what can still be done.")
    static let loginRefused = ProblemType(
        "login-refused", 401, "The login is not right",
        "Tenant, e-mail address or password: the answer is the same, so that nobody learns who exists.")
    static let administratorsOnly = ProblemType(
        "administrators-only", 403, "Only an administrator who has logged in may do this",
        "Keys can't hand out keys: open a session as an administrator of the tenant.")
}

extension IdentityError: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .invalid(let subject, let reason): Problem(.invalidBody, "\(subject.rawValue) must \(reason).")
        case .slugTaken(let slug): Problem(.slugTaken, "There is a tenant '\(slug)' already.")
        case .unknownTenant, .unknownAPIKey: Problem(.notFound)
        case .illegalMove(let from, let to):
            Problem(.illegalTenantMove, "The tenant is \(from.rawValue); it can't become \(to.rawValue).")
        case .loginRefused: Problem(.loginRefused)
        case .administratorsOnly: Problem(.administratorsOnly)
        }
    }
}

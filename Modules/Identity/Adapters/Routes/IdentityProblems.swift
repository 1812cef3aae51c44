import HTTPTypes
package import Identity
import Kernel
package import Web

extension ProblemType {
    static let slugTaken = ProblemType(
        "slug-taken", 409, "The slug belongs to another tenant", "Choose another slug: they are never given out twice.")
    static let slugTooAlike = ProblemType(
        "slug-too-alike", 409, "The slug looks like another tenant's",
        "Choose a slug that can't be taken for another one at a glance.")
    static let notOnSale = ProblemType(
        "not-on-sale", 422, "There is no such SKU or region", "Choose one that the detail lists.")
    static let noPlace = ProblemType(
        "no-place", 422, "There is no place for the tenant",
        "Correct SKU, region or placement, or open a server for it in the control plane.")
    static let notProvisioned = ProblemType(
        "not-provisioned", 503, "The tenant could not be made yet",
        "Mend what the detail names and repeat the request with its Idempotency-Key: it goes on where it stopped.")
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
        case .slugTooAlike(let slug): Problem(.slugTooAlike, "'\(slug)' can be taken for a slug that is in use.")
        case .unknownSKU(let sku, let sold):
            Problem(.notOnSale, "SKU '\(sku.code)' is not sold; it can be \(sold.joined(separator: ", ")).")
        case .unknownRegion(let region, let open):
            Problem(.notOnSale, "Region '\(region.code)' is not open; it can be \(open.joined(separator: ", ")).")
        case .noPlace(let reason): Problem(.noPlace, "\(reason.capitalizedFirst).")
        case .notProvisioned(let slug, let step, let reason):
            Problem(
                .notProvisioned, "Making '\(slug)' stopped at step \(step.rawValue): \(reason)",
                headers: [.retryAfter: "5"])
        case .unknownTenant, .unknownAPIKey: Problem(.notFound)
        case .illegalMove(let from, let to):
            Problem(.illegalTenantMove, "The tenant is \(from.rawValue); it can't become \(to.rawValue).")
        case .loginRefused: Problem(.loginRefused)
        case .administratorsOnly: Problem(.administratorsOnly)
        }
    }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

extension ProblemType {
    package static let malformedJSON = ProblemType(
        "malformed-json", 400, "The body is not JSON",
        "The body breaks RFC 8259, repeats a name within an object, or nests too deeply; the detail says where.")
    package static let malformedRequest = ProblemType(
        "malformed-request", 400, "The request can't be read", "The request breaks HTTP, or its path is not UTF-8.")
    package static let invalidParameter = ProblemType(
        "invalid-parameter", 400, "A parameter is not valid",
        "A path, query or header parameter is missing, unknown, repeated or out of range; `errors` names each.")
    package static let invalidBody = ProblemType(
        "invalid-body", 422, "The body does not have the shape asked for",
        "A field is missing, unknown, of the wrong type or out of range; `errors` points at each.")
    package static let unauthenticated = ProblemType(
        "unauthenticated", 401, "Credentials are missing or not valid",
        "Send `Authorization: Bearer …` with a token or key that is still good.")
    package static let forbidden = ProblemType("forbidden", 403, "The caller may not do this")
    package static let tenantSuspended = ProblemType(
        "tenant-suspended", 403, "The tenant is suspended",
        "A suspended tenant may read, but not change anything until it is reactivated.")
    package static let tenantMismatch = ProblemType(
        "tenant-mismatch", 403, "X-Tenant-Id names another tenant",
        "The header is optional; where it is sent, it must be the id or the slug of the credentials' tenant.")
    package static let notFound = ProblemType(
        "not-found", 404, "There is no such thing", "It never existed, is gone, or belongs to another tenant.")
    package static let noSuchPath = ProblemType(
        "no-such-path", 404, "There is no such path", "See /openapi.json for the paths there are.")
    package static let methodNotAllowed = ProblemType(
        "method-not-allowed", 405, "The path does not take this method", "The `Allow` header names those it takes.")
    package static let requestTimeout = ProblemType(
        "request-timeout", 408, "The body took too long to arrive")
    package static let conflict = ProblemType("conflict", 409, "The request conflicts with the present state")
    package static let requestInFlight = ProblemType(
        "request-in-flight", 409, "The first request with this Idempotency-Key is still running",
        "Repeat the request after `Retry-After` seconds.")
    package static let staleVersion = ProblemType(
        "stale-version", 412, "It has changed since it was read",
        "If-Match names another version than the present one: read it again, and decide anew.")
    package static let contentTooLarge = ProblemType("content-too-large", 413, "The body is too large")
    package static let unsupportedMediaType = ProblemType(
        "unsupported-media-type", 415, "The body's media type is not taken", "`Accept` names the types that are.")
    package static let idempotencyKeyReused = ProblemType(
        "idempotency-key-reused", 422, "The Idempotency-Key was used for another request",
        "A key stands for one method, path and body: use a new key for a new request.")
    package static let idempotencyKeyMissing = ProblemType(
        "idempotency-key-missing", 400, "The Idempotency-Key header is missing",
        "Send a key of your own making, so that a repeated request takes effect once.")
    package static let preconditionRequired = ProblemType(
        "precondition-required", 428, "The If-Match header is missing",
        "Send the ETag that you last read, so that nobody's change is overwritten unseen.")
    package static let internalError = ProblemType(
        "internal-error", 500, "Something went wrong on our side", "It has been logged under the `requestId`.")
    package static let notReady = ProblemType(
        "not-ready", 503, "A part that the server needs is down", "`checks` says which.")
    package static let unavailable = ProblemType(
        "unavailable", 503, "A part that is needed can't be reached",
        "Repeat the request after `Retry-After` seconds.")
}

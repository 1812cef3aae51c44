import HTTPTypes
import Kernel
import Logging
import Telemetry
import Tenancy

/// The one place where errors become answers.
func answer(to error: any Error, _ requestID: String, _ logger: Logger) -> Outgoing {
    var closes = false
    let problem: Problem
    switch error {
    case let departure as Departure:
        problem = departure.problem
        closes = true
    case let known as any ProblemConvertible:
        problem = known.problem
    case is StaleVersion:
        problem = Problem(.staleVersion)
    case let transient as any TransientFailure:
        let seconds = max(1, (transient.retryAfter.nanoseconds + 999_999_999) / 1_000_000_000)
        problem = Problem(.unavailable, headers: [.retryAfter: String(seconds)])
        logger.warning("a needed part is unavailable", metadata: [LogKey.error: .string("\(error)")])
    case is CancellationError:
        problem = Problem(.unavailable, headers: [.retryAfter: "1"])
    default:
        problem = Problem(.internalError)
        logger.error("a request failed", metadata: [LogKey.error: .string(String(reflecting: error))])
    }
    return Outgoing(
        status: problem.type.status, headers: problem.headers, contentType: .problem,
        body: problem.bytes(requestID: requestID), closes: closes)
}

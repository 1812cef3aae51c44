import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import Synchronization

/// The body broke off or breaks HTTP: the connection decides what is still to be said.
struct UnreadableBody: Error {
    let cause: any Error
}

/// Collects a body within its limits of size and time.
final class BodyReader: Sendable {
    private let request: Request
    private let configuration: WebConfiguration
    private let isStarted = Atomic(false)

    init(_ request: Request, _ configuration: WebConfiguration) {
        self.request = request
        self.configuration = configuration
    }

    /// RFC 9110, section 10.1.1: the client waits for our word before it sends the body.
    var expectsContinue: Bool {
        request.headers[.expect]?.lowercased() == "100-continue"
            && (declaredLength ?? 0) <= configuration.maximumBodySize
    }

    /// Whether a body that nobody read is too long to be worth reading to its end.
    var isWorthLeaving: Bool {
        guard !isStarted.load(ordering: .relaxed) else { return false }
        return request.headers[.transferEncoding] != nil || (declaredLength ?? 0) > configuration.maximumBodySize
    }

    private var declaredLength: Int? { request.headers[.contentLength].flatMap { Int($0) } }

    func read() async throws -> ByteBuffer {
        if let declaredLength, declaredLength > configuration.maximumBodySize { throw tooLarge }
        isStarted.store(true, ordering: .relaxed)
        var collected = ByteBuffer()
        var start: ContinuousClock.Instant?
        var isTooLarge = false
        var size = 0
        do {
            for try await var part in request.body {
                size += part.readableBytes
                if size > configuration.maximumBodySize {
                    isTooLarge = true
                    collected = ByteBuffer()
                    // A client that is cut off in the middle of sending may never see the answer.
                    if size > configuration.maximumBodySize + Self.patience { throw Departure(tooLarge) }
                } else if collected.readableBytes == 0 {
                    collected = part
                } else {
                    collected.writeBuffer(&part)
                }
                // The clock is read only for bodies that come in pieces.
                guard let began = start else {
                    start = .now
                    continue
                }
                if began.duration(to: .now) > configuration.bodyTimeout { throw Departure(Problem(.requestTimeout)) }
            }
        } catch let departure as Departure {
            throw departure
        } catch {
            throw UnreadableBody(cause: error)
        }
        if isTooLarge { throw tooLarge }
        return collected
    }

    /// Reads on for a while after an early answer, so that closing doesn't tear it away from a client that still sends.
    func discard() async throws {
        isStarted.store(true, ordering: .relaxed)
        var size = 0
        let start = ContinuousClock.now
        for try await part in request.body {
            size += part.readableBytes
            if size > Self.patience || start.duration(to: .now) > .seconds(5) { return }
        }
    }

    private static let patience = 4 << 20

    private var tooLarge: Problem {
        Problem(.contentTooLarge, "A body may have \(configuration.maximumBodySize) bytes at most.")
    }
}

/// A problem after which the connection has to end, because the rest of the request is still on its way.
struct Departure: Error {
    let problem: Problem

    init(_ problem: Problem) {
        self.problem = problem
    }
}

/// Ends the connection after its last answer.
struct EarlyClose: Error {}

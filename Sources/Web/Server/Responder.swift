import HTTPTypes
import Hummingbird
import HummingbirdCore
import Kernel
import Logging
import Metrics
import NIOCore
import Telemetry
import Tenancy

/// Answers every request there can be: finds the endpoint, turns errors into problems, counts and logs.
struct Responder: Sendable {
    struct Route: Sendable {
        let endpoint: Endpoint
        let metrics: OperationMetrics
        /// Probes and scrapes come by the second, and are worth no line as long as all is well.
        let level: Logger.Level
    }

    let routes: RouteTable<Route>
    let unrouted: OperationMetrics
    let inFlight: Meter
    let gate: Gate
    let configuration: WebConfiguration
    let identifiers: IdentifierSource
    let logger: Logger

    /// Throws only where the connection is no longer good for an answer, or has to end after it.
    @concurrent
    func respond(to request: Request, _ writer: consuming ResponseWriter) async throws {
        let start = ContinuousClock.now
        inFlight.increment()
        defer { inFlight.decrement() }
        let exchange = Exchange(request, identifiers, logger)
        let body = BodyReader(request, configuration)
        if body.expectsContinue { try await writer.writeInformationalHead(HTTPResponse(status: .continue)) }
        var (logger, metrics, level) = (exchange.logger, unrouted, Logger.Level.info)
        var outgoing: Outgoing
        do {
            let (route, values) = try exchange.route(in: routes)
            metrics = route.metrics
            level = route.level
            logger[metadataKey: LogKey.operation] = .string(route.endpoint.operation)
            let incoming = exchange.incoming(values, body)
            let admission = try await gate.admit(incoming, under: route.endpoint.outline.access, logger)
            logger = admission.logger
            outgoing = try await route.endpoint.respond(incoming, admission, gate.cursors)
        } catch let error as UnreadableBody {
            throw error.cause
        } catch {
            outgoing = answer(to: error, exchange.requestID, logger)
            level = .info
        }
        if body.isWorthLeaving { outgoing.closes = true }
        let head = exchange.head(of: outgoing)
        if exchange.isHead || outgoing.body.isEmpty {
            try await writer.writeResponse(head)
        } else {
            try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: outgoing.body)))
        }
        let nanoseconds = start.duration(to: .now).nanoseconds
        metrics.record(status: outgoing.status, nanoseconds: nanoseconds)
        log(exchange, outgoing.status, nanoseconds, level, logger)
        if outgoing.closes {
            if body.isWorthLeaving { try await body.discard() }
            throw EarlyClose()
        }
    }

    private func log(
        _ exchange: Exchange, _ status: Int, _ nanoseconds: Int64, _ level: Logger.Level, _ logger: Logger
    ) {
        logger.log(
            level: level, "request",
            metadata: [
                LogKey.method: .string(exchange.method.rawValue), LogKey.path: .string(exchange.shownPath),
                LogKey.status: .stringConvertible(status),
                LogKey.milliseconds: .stringConvertible(Double(nanoseconds / 1000) / 1000),
            ])
    }
}

extension Duration {
    var nanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}

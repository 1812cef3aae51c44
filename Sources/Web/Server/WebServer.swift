import HTTPTypes
import Hummingbird
import HummingbirdCore
package import Kernel
package import Logging
import Metrics
import NIOCore
import ServiceLifecycle
import Synchronization
package import Telemetry

/// The HTTP server: serves the endpoints it is given, and the ones every process has (health, metrics, OpenAPI).
package final class WebServer: Service {
    private let configuration: WebConfiguration
    private let responder: Responder
    private let identifiers: IdentifierSource
    private let logger: Logger
    private let bound = Mutex<Bound>(.waiting([]))

    private enum Bound {
        case waiting([CheckedContinuation<Int, any Error>])
        case known(Result<Int, any Error>)
    }

    /// Throws `RouteMistakes` that lists everything that is wrong with the endpoints.
    package init(
        _ configuration: WebConfiguration, endpoints: [Endpoint], authenticator: some Authenticator,
        health: [HealthCheck], metrics: PrometheusRegistry, identifiers: IdentifierSource = .system,
        logger: Logger
    ) throws {
        self.configuration = configuration
        self.identifiers = identifiers
        self.logger = logger
        let all = endpoints + systemEndpoints(health, configuration.healthDeadline, metrics)
        let document = try OpenAPIDocument(all)
        let served = all + [document.endpoint]
        var routes = RouteTable<Responder.Route>()
        for endpoint in served {
            let metrics = OperationMetrics(operation: endpoint.operation, factory: metrics)
            let isQuiet = endpoint.outline.tag == Endpoint.systemTag
            let route = Responder.Route(endpoint: endpoint, metrics: metrics, level: isQuiet ? .debug : .info)
            // What is served twice has been refused above.
            _ = routes.add(route, method: endpoint.method, path: endpoint.path)
        }
        describe(metrics)
        responder = Responder(
            routes: routes, unrouted: OperationMetrics(operation: "none", factory: metrics),
            inFlight: Meter(label: "http_server_requests_in_flight", factory: metrics),
            gate: Gate(
                authenticator: authenticator, operatorKey: configuration.operatorKey, secret: configuration.secret),
            configuration: configuration, identifiers: identifiers, logger: logger)
    }

    /// The port that the server listens on, once it does; throws where it ended before it could.
    package var port: Int {
        get async throws {
            try await withCheckedThrowingContinuation { continuation in
                let known: Result<Int, any Error>? = bound.withLock { bound in
                    switch bound {
                    case .known(let result): return result
                    case .waiting(let others):
                        bound = .waiting(others + [continuation])
                        return nil
                    }
                }
                if let known { continuation.resume(with: known) }
            }
        }
    }

    /// Ends after graceful shutdown, once the requests under way have been answered.
    package func run() async throws {
        let (responder, identifiers) = (responder, identifiers)
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ParseErrorAnswer(identifiers: identifiers)],
            idleTimeout: .nanoseconds(configuration.idleTimeout.nanoseconds),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 100))
        let server = try HTTPServerBuilder.http1(configuration: channel).buildServer(
            configuration: ServerConfiguration(
                address: .hostname(configuration.host, port: configuration.port), backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.maximumConnections)),
            eventLoopGroup: EventLoopGroupProvider.singleton.eventLoopGroup, logger: logger,
            responder: { request, writer, _ in try await responder.respond(to: request, writer) },
            onServerRunning: { [self] channel in
                announce(.success(channel.localAddress?.port ?? configuration.port))
            })
        defer { announce(.failure(CancellationError())) }
        do {
            try await server.run()
        } catch {
            announce(.failure(error))
            throw error
        }
    }

    /// The first word counts: a server that has listened once has a port for good.
    private func announce(_ result: Result<Int, any Error>) {
        let waiting: [CheckedContinuation<Int, any Error>] = bound.withLock { bound in
            guard case .waiting(let continuations) = bound else { return [] }
            bound = .known(result)
            return continuations
        }
        for continuation in waiting { continuation.resume(with: result) }
    }
}

private func describe(_ metrics: PrometheusRegistry) {
    metrics.describe("http_server_requests_total", "Requests answered, by operation and class of status.")
    metrics.describe("http_server_request_duration_seconds", "Time from a request's head to its answer.")
    metrics.describe("http_server_requests_in_flight", "Requests that are being answered now.")
}

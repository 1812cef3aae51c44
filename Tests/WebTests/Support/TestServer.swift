import Kernel
import Logging
import ServiceLifecycle
import Synchronization
import Telemetry
import Tenancy
import Testing
import Web

/// A server on a free port for the length of one test.
struct TestServer: Sendable {
    let port: Int
    let store: ThingStore
    let metrics: PrometheusRegistry
    let log: LogCapture
    let group: ServiceGroup

    static let operatorKey = "operator-key-of-this-test"

    func call(
        _ method: String, _ path: String, bearer: String? = "acme-key", headers: [(String, String)] = [],
        json: String? = nil
    ) async throws -> Answer {
        var headers = headers
        if let bearer { headers.append(("Authorization", "Bearer \(bearer)")) }
        if json != nil, !headers.contains(where: { $0.0.lowercased() == "content-type" }) {
            headers.append(("Content-Type", "application/json"))
        }
        return try await RawConnection(port: port)
            .exchange(request(method, path, headers, Array((json ?? "").utf8)), isHead: method == "HEAD")
    }

    func connect() throws -> RawConnection { try RawConnection(port: port) }
}

func request(_ method: String, _ path: String, _ headers: [(String, String)] = [], _ body: [UInt8] = []) -> [UInt8] {
    var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n"
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    if !body.isEmpty || method != "GET" { head += "Content-Length: \(body.count)\r\n" }
    return Array((head + "\r\n").utf8) + body
}

func withServer(
    endpoints: [Endpoint]? = nil, health: [HealthCheck] = [], _ configuration: WebConfiguration = .testing(),
    _ body: (TestServer) async throws -> Void
) async throws {
    let store = ThingStore()
    let metrics = PrometheusRegistry()
    let log = LogCapture()
    let logger = Logger(label: "test") { _ in LogCaptureHandler(capture: log) }
    let server = try WebServer(
        configuration, endpoints: endpoints ?? sampleEndpoints(store), authenticator: KeyRing(), health: health,
        metrics: metrics,
        logger: logger)
    let group = ServiceGroup(
        configuration: .init(
            services: [.init(service: server)], logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() }))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        do {
            let port = try await server.port
            try await body(TestServer(port: port, store: store, metrics: metrics, log: log, group: group))
        } catch {
            await group.triggerGracefulShutdown()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}

extension WebConfiguration {
    static func testing() -> WebConfiguration {
        WebConfiguration(port: 0, operatorKey: TestServer.operatorKey, secret: Array("a secret for tests".utf8))
    }

    static func testing<Value>(_ property: WritableKeyPath<WebConfiguration, Value>, _ value: Value) -> WebConfiguration
    {
        var configuration = testing()
        configuration[keyPath: property] = value
        return configuration
    }
}

/// Knows two tenants, of which one is suspended.
struct KeyRing: Authenticator {
    static let acme = TenantID("0190a5c4-7e1b-7d3a-9f52-000000000001")!
    static let globex = TenantID("0190a5c4-7e1b-7d3a-9f52-000000000002")!

    func authenticate(bearer: String) async throws -> Caller? {
        switch bearer {
        case "acme-key":
            Caller(tenantID: Self.acme, tenantSlug: "acme", isSuspended: false, actor: .apiKey(Self.acme.uuid))
        case "globex-key":
            Caller(tenantID: Self.globex, tenantSlug: "globex", isSuspended: true, actor: .apiKey(Self.globex.uuid))
        case "reader-key":
            Caller(
                tenantID: Self.acme, tenantSlug: "acme", isSuspended: false, actor: .apiKey(Self.acme.uuid),
                mayWrite: false)
        case "database-down": throw DatabaseDown()
        default: nil
        }
    }
}

struct DatabaseDown: TransientFailure {
    let retryAfter: Duration = .milliseconds(1500)
}

/// What was logged, in lines as the JSON format has them.
final class LogCapture: Sendable {
    struct Entry: Sendable {
        let level: Logger.Level
        let message: String
        let metadata: [String: String]
    }

    private let captured = Mutex<[Entry]>([])

    var entries: [Entry] { captured.withLock { $0 } }
    func append(_ entry: Entry) { captured.withLock { $0.append(entry) } }
}

struct LogCaptureHandler: LogHandler {
    let capture: LogCapture
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .debug
    var metadataProvider: Logger.MetadataProvider?

    init(capture: LogCapture) { self.capture = capture }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        capture.append(
            .init(level: event.level, message: event.message.description, metadata: all.mapValues(\.description)))
    }
}

/// Carries a value from one closure to another.
final class Exchanged<Value: Sendable>: Sendable {
    private let stored: Mutex<Value>

    init(_ value: Value) { stored = Mutex(value) }

    var value: Value {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }
}

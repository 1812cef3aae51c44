import DevStack
import Foundation
import Kafka
import Kernel
import Messaging
import MeteringAdapters
import Postgres
import Synchronization
import Telemetry
import Tenancy
import TestSupport
import Testing
import Web

/// Metering alone, on a database of its own: events come in through the inbox, callers through HTTP.
struct MeteringWorld: Sendable {
    static let epoch = Timestamp("2026-02-03T09:30:20Z")!

    let plane: TestDataPlane
    let module: MeteringModule
    private let http: HTTP

    static func with(_ body: @escaping @Sendable (MeteringWorld) async throws -> Void) async throws {
        try await TestDataPlane.with(maximum: 24) { plane in
            let module = MeteringModule(
                dataPlane: plane.dataPlane, outbox: Outbox(schema: "metering", signal: RelaySignal()),
                clock: WallClock { epoch })
            let server = try WebServer(
                WebConfiguration(port: 0, operatorKey: UUID().uuidString, secret: Array("a secret for tests".utf8)),
                endpoints: module.endpoints,
                authenticator: TenantByItsID(), health: [], metrics: PrometheusRegistry(), logger: .silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                defer { group.cancelAll() }
                let port = try await server.port
                try await body(MeteringWorld(plane: plane, module: module, http: HTTP("http://127.0.0.1:\(port)")))
            }
        }
    }

    func tenant() -> MeteringTenant {
        let id: TenantID = IdentifierSource.system.next()
        return MeteringTenant(id: id, http: http.authorized(id.description))
    }

    /// Hands an event to the reaction to its type, as it would come from Kafka.
    @discardableResult
    func deliver<Event: IntegrationEvent>(
        _ event: Event, id: EventID = IdentifierSource.system.next(), fact: EventID? = nil
    ) async throws -> Inbox.Outcome {
        let subscription = try #require(module.subscriptions.first { $0.types.contains(Event.type) })
        return try await inbox.process(try received(event, id, fact), by: subscription)
    }

    /// The same for events that come together.
    func deliver<Event: IntegrationEvent>(
        together events: [(event: Event, id: EventID)]
    ) async throws -> [Inbox.Outcome?] {
        let subscription = try #require(module.subscriptions.first { $0.types.contains(Event.type) })
        let live = try events.map { event, id in
            Inbox.Live(event: try received(event, id, nil), key: Array(id.description.utf8))
        }
        return try await inbox.process(live, by: subscription)
    }

    private var inbox: Inbox { Inbox(role: MeteringModule.context, dataPlane: plane.dataPlane, logger: .silent) }

    private func received<Event: IntegrationEvent>(
        _ event: Event, _ id: EventID, _ fact: EventID?
    ) throws -> ReceivedEvent {
        var headers = [
            "ce_specversion": "1.0", "ce_id": id.description, "ce_source": "/atrium/test", "ce_type": Event.type,
            "ce_time": WallClock.system.now().description, "ce_tenantid": event.tenantId.description,
            "ce_correlationid": IdentifierSource.system.next(CorrelationID.self).description,
        ]
        headers["ce_factid"] = fact?.description
        let message = KafkaMessage(
            topic: Event.topic, partition: 0, offset: 0, key: nil, value: Array(try JSONEncoder().encode(event)),
            headers: headers.map { KafkaHeader(name: $0, value: Array($1.utf8)) }, timestamp: 0)
        return try ReceivedEvent(message)
    }

    /// The events that wait to be published, in the order in which the relay will.
    func published(for tenant: TenantID) async throws -> [(version: Int64, payload: JSONValue)] {
        try await plane.asSuperuser(
            """
            SELECT aggregate_version, payload FROM metering.outbox WHERE tenant_id = \(tenant)
            ORDER BY transaction_id, position
            """
        ).map { row in
            let (version, payload) = try row.decode((Int64, String).self)
            return (version, try JSONValue(parsing: payload))
        }
    }

    func count(_ sql: SQL) async throws -> Int64 {
        try await plane.asSuperuser(sql)[0].decode(Int64.self)
    }
}

struct MeteringTenant: Sendable {
    let id: TenantID
    let http: HTTP

    func define(_ key: String, _ aggregation: String = "sum", unit: String = "GB") async throws -> HTTPReply {
        try await http.put(
            "/api/v1/meters/\(key)", json: ["aggregation": .string(aggregation), "unit": .string(unit)])
    }

    func send(_ json: JSONValue, as type: String = "application/json") async throws -> HTTPReply {
        try await http.post("/api/v1/usage/events", json: json, headers: ["Content-Type": type])
    }

    /// The total and the windows that are not zero.
    func usage(
        _ meter: String, from: String = "2026-02-03T00:00:00Z", to: String = "2026-02-04T00:00:00Z",
        window: String = "minute"
    ) async throws -> (total: String, count: Int, windows: [String: String]) {
        let reply = try await http.get("/api/v1/usage?meter=\(meter)&from=\(from)&to=\(to)&window=\(window)")
        let json = try reply.json()
        let total = try #require(json["total"], "\(reply)")
        var windows: [String: String] = [:]
        for window in json["windows"]?.array ?? [] where window["count"] != 0 {
            windows[window["start"]?.string ?? "?"] = window["value"]?.string
        }
        return (try #require(total["value"]?.string), try #require(total["count"]?.int), windows)
    }
}

/// A CloudEvent about a meter.
func cloudEvent(
    _ id: String, _ meter: String = "egress", value: JSONValue = .null, time: JSONValue = .null,
    source: String = "/gateways/fra-3"
) -> JSONValue {
    [
        "specversion": "1.0", "id": .string(id), "source": .string(source), "type": "com.example.usage", "time": time,
        "data": ["meter": .string(meter), "value": value],
    ]
}

/// Takes a tenant's UUID for its key.
struct TenantByItsID: Authenticator {
    func authenticate(bearer: String) async throws -> Caller? {
        TenantID(bearer).map {
            Caller(tenantID: $0, tenantSlug: "t-\($0)", isSuspended: false, actor: .apiKey($0.uuid))
        }
    }
}

extension HTTPReply {
    var problem: String? { self["type"]?.string?.split(separator: "/").last.map(String.init) }

    /// The body without what differs from request to request.
    var bodyWithoutRequest: JSONValue? {
        guard var members = try? json().object else { return nil }
        members["requestId"] = nil
        return .object(members)
    }
}

/// Holds documents against the schema of their event type, by an independent validator.
func validate(_ documents: [JSONValue], against schema: String) async throws {
    let result = try await Python.run(
        code: """
            import json, sys
            from jsonschema import Draft202012Validator, FormatChecker
            schema = json.load(open(sys.argv[1]))
            Draft202012Validator.check_schema(schema)
            validator = Draft202012Validator(schema, format_checker=FormatChecker())
            problems = [e.message for d in json.load(sys.stdin) + schema["examples"] for e in validator.iter_errors(d)]
            print("valid" if not problems else problems)
            """, ["schemas/events/\(schema)"], input: JSONValue.array(documents).text)
    #expect(result.output == "valid\n", "\(schema): \(result.output) \(result.errors)")
}

import Billing
import DevStack
import Foundation
import Kafka
import Kernel
import Messaging
import Postgres
import Telemetry
import Tenancy
import TestSupport
import Testing
import Web

@testable import BillingAdapters

/// Billing alone, on a database of its own: events come in through the inbox, callers through HTTP.
struct BillingWorld: Sendable {
    let plane: TestDataPlane
    let module: BillingModule
    let outbox: Outbox
    private let http: HTTP

    static func with(_ body: @escaping @Sendable (BillingWorld) async throws -> Void) async throws {
        try await TestDataPlane.with { plane in
            let outbox = Outbox(schema: "billing", signal: RelaySignal())
            let module = BillingModule(dataPlane: plane.dataPlane, outbox: outbox)
            let server = try WebServer(
                WebConfiguration(port: 0, operatorKey: UUID().uuidString, secret: Array("a secret for tests".utf8)),
                endpoints: module.endpoints,
                authenticator: TenantByItsID(), health: [], metrics: PrometheusRegistry(), logger: .silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                defer { group.cancelAll() }
                let port = try await server.port
                try await body(
                    BillingWorld(
                        plane: plane, module: module, outbox: outbox, http: HTTP("http://127.0.0.1:\(port)")))
            }
        }
    }

    func http(as tenant: TenantID) -> HTTP { http.authorized(tenant.description) }

    /// Hands an event to the reaction to its type, as it would come from Kafka.
    @discardableResult
    func deliver<Event: IntegrationEvent>(
        _ event: Event, id: EventID = IdentifierSource.system.next(),
        correlation: CorrelationID = IdentifierSource.system.next()
    ) async throws -> Inbox.Outcome {
        let subscription = try #require(module.subscriptions.first { $0.eventType == Event.type })
        return try await inbox.process(try received(event, id, correlation), by: subscription)
    }

    /// The same for events that come together.
    func deliver<Event: IntegrationEvent>(
        together events: [Event], correlations: [CorrelationID]
    ) async throws -> [Inbox.Outcome?] {
        let subscription = try #require(module.subscriptions.first { $0.eventType == Event.type })
        let live = try zip(events, correlations).map { event, correlation in
            let id: EventID = IdentifierSource.system.next()
            return Inbox.Live(event: try received(event, id, correlation), key: Array(id.description.utf8))
        }
        return try await inbox.process(live, by: subscription)
    }

    private var inbox: Inbox { Inbox(role: BillingModule.context, dataPlane: plane.dataPlane, logger: .silent) }

    private func received<Event: IntegrationEvent>(
        _ event: Event, _ id: EventID, _ correlation: CorrelationID
    ) throws -> ReceivedEvent {
        let headers = [
            "ce_specversion": "1.0", "ce_id": id.description, "ce_source": "/atrium/test", "ce_type": Event.type,
            "ce_time": WallClock.system.now().description, "ce_tenantid": event.tenantId.description,
            "ce_correlationid": correlation.description,
        ]
        let message = KafkaMessage(
            topic: Event.topic, partition: 0, offset: 0, key: nil, value: Array(try JSONEncoder().encode(event)),
            headers: headers.map { KafkaHeader(name: $0, value: Array($1.utf8)) }, timestamp: 0)
        return try ReceivedEvent(message)
    }

    /// The reaction that issues invoices, in a transaction of the test's own.
    func reaction(
        in transaction: TenantTransaction
    ) -> IssueInvoiceOnOrderFulfilled<PostgresInvoiceRepository, PostgresAccountRepository> {
        IssueInvoiceOnOrderFulfilled(
            invoices: PostgresInvoiceRepository(transaction: transaction, outbox: outbox, identifiers: .system),
            accounts: PostgresAccountRepository(transaction: transaction), identifiers: .system, clock: .system)
    }

    /// The events that wait to be published, oldest first.
    func published(_ type: String) async throws -> [JSONValue] {
        try await plane.asSuperuser("SELECT payload FROM billing.outbox WHERE type = \(type) ORDER BY position")
            .map { try JSONValue(parsing: try $0.decode(String.self)) }
    }

    func sequences(of tenant: TenantID) async throws -> [Int64] {
        try await plane.asSuperuser(
            "SELECT sequence FROM billing.invoices WHERE tenant_id = \(tenant) ORDER BY sequence"
        ).map { try $0.decode(Int64.self) }
    }

    func count(_ sql: SQL) async throws -> Int64 {
        try await plane.asSuperuser(sql)[0].decode(Int64.self)
    }
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

/// Holds a document against the schema of its event type, by an independent validator.
func validate(_ document: JSONValue, against schema: String) async throws {
    let result = try await Python.run(
        code: """
            import json, sys
            from jsonschema import Draft202012Validator, FormatChecker
            schema = json.load(open(sys.argv[1]))
            Draft202012Validator.check_schema(schema)
            validator = Draft202012Validator(schema, format_checker=FormatChecker())
            problems = [e.message for d in [json.load(sys.stdin)] + schema["examples"] for e in validator.iter_errors(d)]
            print("valid" if not problems else problems)
            """, ["schemas/events/\(schema)"], input: document.text)
    #expect(result.output == "valid\n", "\(schema): \(result.output) \(result.errors)")
}

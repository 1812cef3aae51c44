import Kafka
import Kernel
import Messaging
import Testing

@Suite("A message from Kafka")
struct ReceivedEventTests {
    static let tenant = "0198c0de-0000-7000-8000-000000000001"
    static let headers: [String: String] = [
        "ce_specversion": "1.0", "ce_id": "0198c0de-0000-7000-8000-0000000000e1", "ce_source": "/atrium/orders",
        "ce_type": "orders.order.approved.v1", "ce_time": "2026-01-15T09:30:00.5Z", "ce_tenantid": tenant,
        "ce_correlationid": "0198c0de-0000-7000-8000-0000000000f1",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "content-type": "application/json",
    ]

    static func message(
        _ changes: [String: String?] = [:], extra: [KafkaHeader] = [], value: String? = "{}"
    ) -> KafkaMessage {
        var all = headers
        for (name, value) in changes { all[name] = value }
        return KafkaMessage(
            topic: "orders.order", partition: 0, offset: 7, key: nil, value: value.map { Array($0.utf8) },
            headers: all.map { KafkaHeader(name: $0, value: Array($1.utf8)) } + extra, timestamp: 0)
    }

    @Test("is read with all that its envelope says")
    func whole() throws {
        let event = try ReceivedEvent(Self.message(["ce_causationid": "0198c0de-0000-7000-8000-0000000000e0"]))
        #expect(event.id.description == Self.headers["ce_id"])
        #expect(event.tenantID.description == Self.tenant)
        #expect(event.time.description == "2026-01-15T09:30:00.5Z")
        #expect(event.correlation.id.description == Self.headers["ce_correlationid"])
        #expect(event.correlation.causation?.description == "0198c0de-0000-7000-8000-0000000000e0")
        #expect(event.correlation.trace.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
    }

    @Test(
        "is refused without an attribute that we need",
        arguments: [
            "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_tenantid", "ce_correlationid",
        ])
    func missing(_ header: String) {
        for value in [nil, ""] as [String?] {
            let refusal = #expect(throws: Rejection.self) { try ReceivedEvent(Self.message([header: value])) }
            #expect(refusal?.reason.contains(header) == true)
        }
    }

    @Test(
        "is refused with an attribute that makes no sense",
        arguments: [
            ("ce_specversion", "0.3"), ("ce_id", "42"), ("ce_time", "yesterday"), ("ce_time", "2026-13-01T00:00:00Z"),
            ("ce_tenantid", "acme"), ("ce_tenantid", "0198c0de-0000-7000-8000-00000000000g"),
            ("ce_correlationid", "x"), ("ce_causationid", "x"), ("content-type", "text/plain"),
            ("content-type", "application/avro"),
        ])
    func malformed(_ header: String, _ value: String) {
        #expect(throws: Rejection.self) { try ReceivedEvent(Self.message([header: value])) }
    }

    @Test("is refused without data: a tombstone is no event")
    func tombstone() {
        #expect(throws: Rejection("the event has no data")) { try ReceivedEvent(Self.message(value: nil)) }
        #expect(throws: Rejection("the event has no data")) { try ReceivedEvent(Self.message(value: "")) }
    }

    @Test("is refused where a header is there twice or is not text")
    func oddHeaders() {
        #expect(throws: Rejection("the header ce_tenantid is there twice")) {
            try ReceivedEvent(
                Self.message(extra: [KafkaHeader(name: "ce_tenantid", value: Array(Self.tenant.utf8))]))
        }
        #expect(throws: Rejection("the header ce_subject is not UTF-8 text")) {
            try ReceivedEvent(Self.message(extra: [KafkaHeader(name: "ce_subject", value: [0xFF, 0xFE])]))
        }
        #expect(throws: Rejection("the header ce_subject is not UTF-8 text")) {
            try ReceivedEvent(Self.message(extra: [KafkaHeader(name: "ce_subject", value: nil)]))
        }
    }

    @Test("with headers of others is taken, and a broken trace starts anew")
    func tolerance() throws {
        let foreign = KafkaHeader(name: "x-proxy", value: [0xFF])
        let event = try ReceivedEvent(Self.message(["traceparent": "garbage", "content-type": nil], extra: [foreign]))
        #expect(event.correlation.trace.traceID.count == 32)
    }
}

import Foundation
import Kafka
import Kernel
import Messaging
import Testing

/// One message and what it is read as.
struct EnvelopeCase: Sendable, CustomTestStringConvertible {
    enum Verdict: Sendable {
        case taken
        case refused(String)
    }

    let testDescription: String
    var headers: [KafkaHeader]
    var value: [UInt8]?
    let verdict: Verdict

    static let fields: [(String, String)] = [
        ("specversion", "1.0"), ("id", "0198c0de-0000-7000-8000-0000000000e1"), ("source", "/atrium/orders"),
        ("type", "orders.order.approved.v1"), ("time", "2026-01-15T09:30:00Z"),
        ("tenantid", "0198c0de-0000-7000-8000-000000000001"),
        ("correlationid", "0198c0de-0000-7000-8000-0000000000f1"),
    ]

    static func header(_ name: String, _ value: String) -> KafkaHeader {
        KafkaHeader(name: name, value: Array(value.utf8))
    }

    static func binary(
        _ name: String, _ verdict: Verdict, without: String? = nil, more: [KafkaHeader] = [],
        value: [UInt8]? = Array("{}".utf8)
    ) -> EnvelopeCase {
        EnvelopeCase(
            testDescription: name,
            headers: fields.filter { $0.0 != without }.map { header("ce_\($0.0)", $0.1) } + more, value: value,
            verdict: verdict)
    }

    static func structured(
        _ name: String, _ verdict: Verdict, type: String = "application/cloudevents+json; charset=UTF-8",
        without: String? = nil, body: String = #","data":{}"#, mark: [UInt8] = [], more: [KafkaHeader] = []
    ) -> EnvelopeCase {
        let attributes = fields.filter { $0.0 != without }.map { "\"\($0.0)\":\"\($0.1)\"" }.joined(separator: ",")
        return EnvelopeCase(
            testDescription: name, headers: [header("Content-Type", type)] + more,
            value: mark + Array("{\(attributes)\(body)}".utf8), verdict: verdict)
    }

    static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    static let binaryCases: [EnvelopeCase] =
        [
            .binary("binary", .taken),
            .binary(
                "binary with its media type", .taken, more: [header("content-type", "application/json; charset=utf-8")]),
            .binary("media type in other letters", .taken, more: [header("Content-Type", "Application/JSON")]),
            .binary(
                "a JSON format of somebody's", .taken, more: [header("content-type", "application/vnd.atrium+json")]),
            .binary("data that is not JSON", .refused("not JSON"), more: [header("content-type", "application/avro")]),
            .binary(
                "data in Latin 1", .refused("UTF-8"),
                more: [header("content-type", "application/json; charset=iso-8859-1")]),
            .binary(
                "two media types", .refused("twice"),
                more: [
                    header("content-type", "application/json"), header("Content-Type", "text/plain"),
                ]),
            .binary("an extension of others", .taken, more: [header("ce_somebodys", "x")]),
            .binary(
                "an extension of others that is no text", .taken,
                more: [KafkaHeader(name: "ce_somebodys", value: [0xFF])]),
            .binary(
                "an extension of others that is there twice", .taken,
                more: [
                    header("ce_somebodys", "x"), header("ce_somebodys", "y"),
                ]),
            .binary("an attribute that is there twice", .refused("twice"), more: [header("ce_type", "other.x.y.v1")]),
            .binary(
                "the same attribute in capitals as well", .refused("twice"), more: [header("CE_TYPE", "other.x.y.v1")]),
            .binary(
                "an attribute that is no text", .refused("not UTF-8"),
                more: [KafkaHeader(name: "ce_subject", value: [0xC3, 0x28])]),
            .binary(
                "an attribute without a value", .refused("not UTF-8"),
                more: [KafkaHeader(name: "ce_subject", value: nil)]),
            .binary("control characters", .refused("control"), more: [header("ce_subject", "a\u{1}b")]),
            .binary(
                "a percent sign is a percent sign", .refused("not a UUID"), without: "id",
                more: [
                    header("ce_id", "0198c0de%2D0000-7000-8000-0000000000e1")
                ]),
            .binary("letters beyond ASCII", .taken, more: [header("ce_subject", "Grüße, 世界")]),
            .binary("the trace is broken", .taken, more: [header("traceparent", "xx")]),
            .binary("the trace is no text", .taken, more: [KafkaHeader(name: "traceparent", value: [0xFF])]),
            .binary("a mark of the byte order before the data", .taken, value: mark + Array("{}".utf8)),
            .binary("no data", .refused("no data"), value: nil),
            .binary("empty data", .refused("no data"), value: []),
            .binary(
                "a fact in several versions", .taken,
                more: [
                    header("ce_factid", "0198c0de-0000-7000-8000-0000000000e9"),
                    header("ce_alsoas", "orders.order.approved.v2"),
                ]),
            .binary("a fact identifier that is none", .refused("factid"), more: [header("ce_factid", "x")]),
        ] + fields.map { .binary("binary without \($0.0)", .refused($0.0), without: $0.0) }

    static let structuredCases: [EnvelopeCase] =
        [
            .structured("structured", .taken),
            .structured("structured without a charset", .taken, type: "application/cloudevents+json"),
            .structured(
                "structured in other letters", .taken, type: "Application/CloudEvents+JSON ; Charset=\"utf-8\""),
            .structured(
                "structured in UTF-16", .refused("UTF-8"), type: "application/cloudevents+json; charset=utf-16"),
            .structured("a batch", .refused("cloudevents+json"), type: "application/cloudevents-batch+json"),
            .structured("another format", .refused("cloudevents+json"), type: "application/cloudevents+avro"),
            .structured("headers beside it count for nothing", .taken, more: [header("ce_tenantid", "elsewhere")]),
            .structured("a mark of the byte order", .taken, mark: mark),
            .structured("data in Base64", .taken, body: #","data_base64":"e30=""#),
            .structured("data in broken Base64", .refused("Base64"), body: #","data_base64":"%%""#),
            .structured("data twice", .refused("both"), body: #","data":{},"data_base64":"e30=""#),
            .structured("null data", .refused("no data"), body: #","data":null"#),
            .structured("without data", .refused("no data"), body: ""),
            .structured(
                "data of another kind", .refused("not JSON"), body: #","datacontenttype":"text/plain","data":"x""#),
            .structured("an attribute that is a number", .refused("not text"), body: #","subject":7,"data":{}"#),
            .structured("an attribute that is null is not there", .taken, body: #","subject":null,"data":{}"#),
            .structured("an attribute twice", .refused("not JSON"), body: #","type":"a.b.c.v1","data":{}"#),
            .structured("extensions of others", .taken, body: #","somebodys":{"a":[1]},"other":7,"data":{}"#),
            .structured("two media types", .refused("twice"), more: [header("content-type", "application/json")]),
        ] + fields.map { .structured("structured without \($0.0)", .refused($0.0), without: $0.0) }
}

@Suite("An envelope")
struct EnvelopeTests {
    @Test("is read as the binding says", arguments: EnvelopeCase.binaryCases + EnvelopeCase.structuredCases)
    func binding(_ sample: EnvelopeCase) throws {
        let message = KafkaMessage(
            topic: "orders.order", partition: 0, offset: 0, value: sample.value, headers: sample.headers)
        switch sample.verdict {
        case .taken:
            let event = try ReceivedEvent(message)
            #expect(event.type == "orders.order.approved.v1")
            #expect(event.tenantID.description == "0198c0de-0000-7000-8000-000000000001")
            #expect(String(decoding: event.data, as: UTF8.self) == "{}")
        case .refused(let part):
            let refusal = #expect(throws: Rejection.self) { try ReceivedEvent(message) }
            #expect(refusal?.reason.contains(part) == true, "\(refusal?.reason ?? "")")
        }
    }

    @Test("names the fact that it tells of, by which the inbox knows it in every version")
    func fact() throws {
        let many = EnvelopeCase.binary(
            "", .taken,
            more: [
                EnvelopeCase.header("ce_factid", "0198c0de-0000-7000-8000-0000000000e9"),
                EnvelopeCase.header("ce_alsoas", "orders.order.approved.v2, orders.order.approved.v3"),
            ])
        let event = try ReceivedEvent(
            KafkaMessage(topic: "t", partition: 0, offset: 0, value: many.value, headers: many.headers))
        #expect(event.factID.description == "0198c0de-0000-7000-8000-0000000000e9")
        #expect(event.alsoAs == ["orders.order.approved.v2", "orders.order.approved.v3"])
        let one = try ReceivedEvent(
            KafkaMessage(
                topic: "t", partition: 0, offset: 0, value: many.value, headers: EnvelopeCase.binaryCases[0].headers))
        #expect(one.factID == one.id)
    }
}

import Foundation
import Kafka
import Kernel
import Messaging
import Tenancy
import Web

/// A dead letter as the API shows it.
enum DeadLetterView {
    /// Without what the message says, which may be long and is the tenant's.
    static let summary = Shape<EventDesk.Letter>.output(
        "DeadLetter", "A message that was set aside.",
        Field("id", .identifier(EventID.self), "The letter.") { EventID($0.letter.id) },
        Field("context", .enumeration(ContextName.self), "The context that set it aside.", example: "billing") {
            $0.context
        },
        Field("kind", .enumeration(DeadLetter.Kind.self), kinds, example: "failed") { $0.letter.kind },
        Field(optional: "tenantId", .identifier(TenantID.self), "Where the message says it.") { $0.letter.tenantID },
        Field(optional: "type", .string(), "The event's type.", example: "orders.order.fulfilled.v1") {
            $0.letter.eventType
        },
        Field(optional: "eventId", .string(), "The event.", example: "0198c0de-0000-7000-8000-0000000000e1") {
            $0.letter.eventID
        },
        Field(
            optional: "reaction", .string(), "What failed on it; every reaction where absent.", example: "issue-invoice"
        ) { $0.letter.reaction },
        Field("topic", .string(), "Where it came from, or was to go.", example: "orders.order") { $0.letter.topic },
        Field(optional: "partition", .integer(), "Of the topic.", example: 3) { $0.letter.partition.map(Int64.init) },
        Field(optional: "offset", .integer(), "In the partition.", example: 1042) { $0.letter.offset },
        Field(
            optional: "key", .string(), "What its events are kept in order by; `0x…` where it is no text.",
            example: "0198c0de-0000-7000-8000-0000000000aa"
        ) { $0.letter.key.map(EventKey.text) },
        Field("reason", .string(), "Why it lies here.", example: "the data is not a orders.order.fulfilled.v1") {
            $0.letter.reason
        },
        Field("attempts", .integer(0...Int64.max), "How often it was tried.", example: 5) { Int64($0.letter.attempts) },
        Field("failedAt", .timestamp, "When it was set aside.") { $0.letter.failedAt },
        Field("resolution", resolution, "What became of it; null while it is open.", example: nil) { $0.letter }
    )

    private static let kinds = """
        `failed`: its reaction kept failing; `rejected`: it can't be processed as it is; `waiting`: it came behind another \
        of its key; `unknown_version`: no reaction reads this version yet; `unknown_tenant`: nobody is registered under \
        its tenant; `refused`: the broker would not take it.
        """

    private static let resolution = Shape<DeadLetter>.output(
        "DeadLetterResolution", "",
        Field(optional: "resolution", .string(), "`replayed` or `discarded`.", example: "replayed") {
            $0.resolution?.rawValue
        },
        Field(optional: "at", .timestamp, "When.") { $0.resolvedAt },
        Field(optional: "by", .string(), "By whom.", example: "operator: ada") { $0.resolvedBy },
        Field(optional: "reason", .string(), "Why.", example: "the price list is mended") { $0.resolutionReason }
    )

    static let whole = Shape<EventDesk.Letter>.output(
        "WholeDeadLetter", "A message that was set aside, with all that it holds.",
        Field("letter", summary, "What is known of it.") { $0 },
        Field("headers", .array(of: header), "In their order.") { $0.letter.headers },
        Field(optional: "data", .string(), "The message's value, where it is UTF-8 text.", example: "{\"tenantId\":…}")
        {
            $0.letter.value.flatMap { String(validating: $0, as: UTF8.self) }
        },
        Field(optional: "dataBase64", .string(), "The message's value in Base64, where it is no text.", example: nil) {
            base64($0.letter.value)
        }
    )

    private static let header = Shape<KafkaHeader>.output(
        "MessageHeader", "",
        Field("name", .string(), "", example: "ce_type") { $0.name },
        Field(optional: "value", .string(), "Where it is UTF-8 text.", example: "orders.order.fulfilled.v1") {
            $0.value.flatMap { String(validating: $0, as: UTF8.self) }
        },
        Field(optional: "valueBase64", .string(), "Where it is no text.", example: nil) { base64($0.value) }
    )

    /// Only of what is no text.
    private static func base64(_ bytes: [UInt8]?) -> String? {
        guard let bytes, String(validating: bytes, as: UTF8.self) == nil else { return nil }
        return Data(bytes).base64EncodedString()
    }
}

enum ParkedKeyView {
    static let shape = Shape<EventDesk.Parked>.output(
        "ParkedKey", "An aggregate whose events wait until the first of its dead letters is dealt with.",
        Field("context", .enumeration(ContextName.self), "The context that waits.", example: "billing") { $0.context },
        Field("tenantId", .identifier(TenantID.self), "The tenant.") { $0.key.key.tenantID },
        Field("topic", .string(), "The topic.", example: "orders.order") { $0.key.key.topic },
        Field("key", .string(), "The aggregate.", example: "0198c0de-0000-7000-8000-0000000000aa") {
            EventKey.text(of: $0.key.key.key)
        },
        Field("kind", .enumeration(DeadLetter.Kind.self), "Why the first of them failed.", example: "failed") {
            $0.key.kind
        },
        Field("reason", .string(), "The same in words.", example: "the invoice's total is too large") { $0.key.reason },
        Field("letters", .integer(0...Int64.max), "How many messages lie there.", example: 2) { Int64($0.key.letters) },
        Field("since", .timestamp, "When the first of them was set aside.") { $0.key.since }
    )
}

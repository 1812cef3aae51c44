import Kernel
import Metering
import Web

extension Shape where Value == JSON {
    /// One CloudEvent; what is in it is read event by event, so that one bad event in a batch spoils no other.
    static let usageEvent = Shape(
        name: "UsageEvent",
        schema: [
            "type": "object",
            "description":
                "A CloudEvent 1.0 that reports usage. Extension attributes are taken and not kept.",
            "required": ["specversion", "id", "source", "type"],
            "properties": [
                "specversion": ["const": "1.0"],
                "id": [
                    "type": "string", "minLength": 1, "maxLength": 255,
                    "description": "With `source` it names the event: a second one is not counted again.",
                ],
                "source": ["type": "string", "format": "uri-reference", "minLength": 1, "maxLength": 500],
                "type": [
                    "type": "string", "minLength": 1, "maxLength": 200,
                    "description": "The meter's key, where `data.meter` is left out.",
                ],
                "subject": ["type": ["string", "null"], "minLength": 1, "maxLength": 500],
                "time": [
                    "type": ["string", "null"], "format": "date-time",
                    "description":
                        "When it happened: at most 35 days ago and 5 minutes ahead. Now, where it is left out.",
                ],
                "datacontenttype": ["type": ["string", "null"], "description": "JSON, where it is given."],
                "dataschema": ["type": ["string", "null"], "format": "uri"],
                "data": [
                    "type": ["object", "null"], "additionalProperties": false,
                    "properties": [
                        "meter": ["type": ["string", "null"], "pattern": .string(MeterKey.pattern)],
                        "value": [
                            "type": ["string", "number", "null"],
                            "description": """
                            An exact decimal number, as a number or a string; not negative, below 10^15, at most 12 \
                            decimal places. A meter that counts needs none.
                            """,
                        ],
                        "dimensions": [
                            "type": ["object", "null"], "maxProperties": 20,
                            "additionalProperties": ["type": "string", "minLength": 1, "maxLength": 200],
                        ],
                    ],
                ],
            ],
        ],
        example: [
            "specversion": "1.0", "id": "4e8b1f7c-2", "source": "/gateways/fra-3", "type": "com.example.api.call",
            "time": "2026-02-03T09:30:00Z",
            "data": ["meter": "api.egress", "value": "0.125", "dimensions": ["region": "eu-central"]],
        ],
        read: { json, violations in
            if case .object = json { return json }
            violations.append(Violation("must be a CloudEvent: a JSON object"))
            return nil
        },
        write: { $1.value($0) })

    /// The JSON batch format of CloudEvents.
    static let usageEventBatch = Shape(
        name: "UsageEventBatch",
        schema: [
            "type": "array", "items": usageEvent.schema, "minItems": 1, "maxItems": .integer(UsagePolicy.batchLimit),
        ],
        definitions: usageEvent.definitions, example: .array([usageEvent.example]),
        read: { json, violations in
            guard let events = json.elements else {
                violations.append(Violation("must be a batch of CloudEvents: a JSON array"))
                return nil
            }
            guard (1...UsagePolicy.batchLimit).contains(events.count) else {
                violations.append(
                    Violation("must have 1 to \(UsagePolicy.batchLimit) events, but has \(events.count)"))
                return nil
            }
            return json
        },
        write: { $1.value($0) })

    /// Either of the two, told apart by what it is.
    static let usageEventOrBatch = Shape(
        schema: ["oneOf": [usageEvent.schema, usageEventBatch.schema]], definitions: usageEventBatch.definitions,
        example: usageEvent.example,
        read: { json, violations in
            (json.elements == nil ? usageEvent : usageEventBatch).decode(json, into: &violations)
        },
        write: { $1.value($0) })
}

/// What became of the usage events of a request.
struct UsageReport: Sendable {
    var accepted: Int64 = 0
    var duplicates: Int64 = 0
    var errors: [UsageReportError] = []

    static let shape = Shape<UsageReport>.output(
        "UsageReport", "What became of the usage events of a request; the three figures add up to the events sent.",
        Field("accepted", .integer(0...500), "How many were recorded now.", example: 1) { $0.accepted },
        Field("duplicates", .integer(0...500), "How many had been recorded before, with the same content.", example: 0)
        {
            $0.duplicates
        },
        Field("rejected", .integer(0...500), "How many were not recorded; `errors` says why.", example: 0) {
            Int64(Set($0.errors.map(\.index)).count)
        },
        Field("errors", .array(of: UsageReportError.shape), "What was wrong with the rejected events.", example: []) {
            $0.errors
        }
    )
}

/// One thing that is wrong with one event of a batch.
struct UsageReportError: Sendable {
    let index: Int64
    let source: String?
    let id: String?
    let code: String
    let detail: String
    let pointer: String?

    static let shape = Shape<UsageReportError>.output(
        "UsageReportError", "One thing that is wrong with one event of a batch.",
        Field("index", .integer(0...499), "The event's place in the batch, from 0 on.", example: 2) { $0.index },
        Field(optional: "source", .string(), "The event's source, where it could be read.", example: "/gateways/fra-3")
        {
            $0.source
        },
        Field(optional: "id", .string(), "The event's id, where it could be read.", example: "4e8b1f7c-2") { $0.id },
        Field("code", .string(1...40), "What kind of error it is, for programs.", example: "unknown-meter") { $0.code },
        Field("detail", .string(), "What is wrong and what mends it.", example: "There is no meter api.egres.") {
            $0.detail
        },
        Field(optional: "pointer", .string(), "Where in the event (RFC 6901), for `invalid`.", example: "/data/value") {
            $0.pointer
        }
    )
}

import Kernel

/// The catalogue for programs: AsyncAPI 3.0.
extension EventCatalogue {
    private static let binding = "0.5.0"

    var asyncAPI: JSON {
        let living = families.map { ($0, $0.versions.filter(isPublished)) }.filter { !$0.1.isEmpty }
        return [
            "asyncapi": "3.0.0",
            "id": "https://atrium.dev/events",
            "info": [
                "title": "Atrium's events", "version": "1",
                "description": """
                CloudEvents 1.0 in the binary mode of the Kafka binding. Generated from the schemas and the code.
                """,
            ],
            "defaultContentType": "application/json",
            "channels": channels(living),
            "operations": operations(living),
            "components": [
                "messages": object(
                    living.flatMap { family, versions in versions.map { (key($0.type), message($0)) } }),
                "messageTraits": ["cloudEvent": ["headers": Self.headers]],
            ],
        ]
    }

    private typealias Living = [(family: Family, versions: [EventSchema])]

    private func object(_ members: [(String, JSON)]) -> JSON {
        .object(JSONObject(members.map { JSONObject.Member(name: $0.0, value: $0.1) }))
    }

    /// Keys have no dots, since some tools take a dot for a step.
    private func key(_ name: String) -> String { name.replacing(".", with: "_") }

    private func reference(_ pointer: String) -> JSON { ["$ref": .string(pointer)] }

    private func channels(_ living: Living) -> JSON {
        let topics = Set(living.map(\.family.topic)).sorted()
        return object(
            topics.map { topic in
                let types = living.filter { $0.family.topic == topic }.flatMap { $0.versions.map(\.type) }
                let context = topic.split(separator: ".")[0]
                return (
                    key(topic),
                    [
                        "address": .string(topic),
                        "summary": .string("What \(context) tells of each \(topic.split(separator: ".")[1])."),
                        "messages": object(types.map { (key($0), reference("#/components/messages/\(key($0))")) }),
                        "bindings": ["kafka": ["topic": .string(topic), "bindingVersion": .string(Self.binding)]],
                    ]
                )
            })
    }

    private func operations(_ living: Living) -> JSON {
        let sending = Set(living.map(\.family.topic)).sorted().map { topic in
            (
                key("publish.\(topic)"),
                operation(
                    "send", "publish.\(topic)", topic, "Every version of a fact in one transaction, the newest first.",
                    living.filter { $0.family.topic == topic }.flatMap { $0.versions.map(\.type) })
            )
        }
        let receiving = reactions.compactMap { reaction -> (String, JSON)? in
            let types = reaction.types.filter { published.contains($0) }
            guard let topic = living.first(where: { $0.versions.contains { types.contains($0.type) } })?.family.topic
            else { return nil }
            return (
                key(reaction.name),
                operation(
                    "receive", reaction.name, topic, "A reaction of \(reaction.context); once for each fact.", types,
                    group: "atrium.\(reaction.context)")
            )
        }
        return object(sending + receiving)
    }

    private func operation(
        _ action: String, _ name: String, _ topic: String, _ summary: String, _ types: [String], group: String? = nil
    ) -> JSON {
        var members: [(String, JSON)] = [
            ("action", .string(action)), ("title", .string(name)), ("channel", reference("#/channels/\(key(topic))")),
            ("summary", .string(summary)),
            ("messages", .array(types.map { reference("#/channels/\(key(topic))/messages/\(key($0))") })),
        ]
        if let group {
            let groupID: JSON = ["type": "string", "enum": [.string(group)]]
            members.append(
                ("bindings", ["kafka": ["groupId": groupID, "bindingVersion": .string(Self.binding)]]))
        }
        return object(members)
    }

    private func message(_ schema: EventSchema) -> JSON {
        var members: [(String, JSON)] = [
            ("name", .string(schema.type)), ("title", .string(schema.title)), ("summary", .string(schema.summary)),
            ("contentType", "application/json"), ("traits", [reference("#/components/messageTraits/cloudEvent")]),
            (
                "payload",
                [
                    "schemaFormat": "application/schema+json;version=draft-2020-12",
                    "schema": reference("../../schemas/events/\(schema.path)"),
                ]
            ),
            (
                "bindings",
                [
                    "kafka": [
                        "key": ["type": "string", "format": "uuid", "description": "The aggregate."],
                        "bindingVersion": .string(Self.binding),
                    ]
                ]
            ),
            ("examples", .array(schema.examples.map { ["payload": $0] })),
        ]
        if let deprecation = schema.deprecation {
            members.append(("tags", [["name": "deprecated"]]))
            members.append(
                (
                    "x-deprecated",
                    [
                        "from": .string(deprecation.from.description),
                        "sunset": .string(deprecation.sunset.description),
                        "migration": .string(deprecation.migration),
                    ]
                ))
        }
        return object(members)
    }

    /// The headers of the CloudEvents binary mode, with the extensions that Atrium uses.
    private static var headers: JSON {
        func text(_ description: String, _ format: String? = nil) -> JSON {
            guard let format else { return ["type": "string", "description": .string(description)] }
            return ["type": "string", "format": .string(format), "description": .string(description)]
        }
        let time = "date-time"
        return [
            "type": "object",
            "required": [
                "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_dataschema",
                "ce_sequence", "ce_tenantid", "ce_correlationid", "content-type",
            ],
            "properties": [
                "ce_specversion": ["type": "string", "const": "1.0"],
                "ce_id": text("The event's own, different for every version of a fact.", "uuid"),
                "ce_source": text("The publishing context, such as /atrium/orders.", "uri-reference"),
                "ce_type": text("<context>.<aggregate>.<fact>.v<N>"),
                "ce_time": text("When it happened.", time),
                "ce_subject": text("The aggregate; the same as the key.", "uuid"),
                "ce_dataschema": text("The schema of the value.", "uri"),
                "ce_sequence": text("The aggregate's version, in 19 digits."),
                "ce_tenantid": text("The tenant; the same as in the value.", "uuid"),
                "ce_correlationid": text("What one request set off.", "uuid"),
                "ce_causationid": text("The event that caused this one.", "uuid"),
                "ce_consistency": text("Reads that bring it as Atrium-Consistency show what the event tells of."),
                "ce_factid": text("Shared by all versions of one fact; only where there are several.", "uuid"),
                "ce_alsoas": text("The types of the fact's other versions, with commas between."),
                "ce_deprecated": ["type": "string", "const": "true"],
                "ce_deprecationfrom": text("Since when readers are asked to move on.", time),
                "ce_deprecationsunset": text("When this version ends.", time),
                "ce_deprecationmigration": text("How to move on.", "uri"),
                "traceparent": text("W3C Trace Context."),
                "content-type": ["type": "string", "const": "application/json"],
            ],
        ]
    }
}

import Foundation
import Kafka
import Kernel
import Logging
import Messaging
import Postgres
import ServiceLifecycle
import Tenancy
import TestSupport

/// What tests of reactions have in common.
enum Reactions {
    /// Counts what took effect as the database saw it: one receipt a time, in the transaction of the inbox.
    static func subscription(
        named name: String = "CountThing", _ body: @escaping @Sendable (ThingHappenedV1) async throws -> Void = { _ in }
    ) -> Subscription {
        .on(ThingHappenedV1.self, named: name) { event, transaction in
            try await body(event.payload)
            transaction.enqueue(
                CommandReceipt(
                    key: "\(name)-\(event.payload.number)-\(UUID())", fingerprint: [], status: 200, headers: [],
                    body: []), in: "billing")
        }
    }

    /// The same of a reaction that takes several.
    static func several(
        _ body: @escaping @Sendable ([ThingHappenedV1]) async throws -> Void = { _ in }
    ) -> Subscription {
        .onSeveral(ThingHappenedV1.self, named: "CountThings") { events, transaction in
            try await body(events.map(\.payload))
            for event in events {
                transaction.enqueue(
                    CommandReceipt(
                        key: "\(event.payload.number)-\(UUID())", fingerprint: [], status: 200, headers: [], body: []),
                    in: "billing")
            }
        }
    }

    static func effects(_ backbone: Backbone) async throws -> Int {
        Int(try await backbone.plane.asSuperuser("SELECT count(*) FROM billing.receipts")[0].decode(Int64.self))
    }

    static func consumer(_ backbone: Backbone) throws -> KafkaConsumer {
        try KafkaConsumer(
            backbone.kafka, group: "atrium.billing", topics: [ThingHappenedV1.topic], beginning: .whenTold,
            logger: .silent)
    }

    static func consuming(
        _ backbone: Backbone, _ subscriptions: [Subscription],
        configuration: ReactionConsumer.Configuration = ReactionConsumer.Configuration(),
        dataPlane: DataPlane? = nil, consumer given: KafkaConsumer? = nil, _ body: @Sendable () async throws -> Void
    ) async throws {
        let consumer = try given ?? consumer(backbone)
        let reactions = ReactionConsumer(
            context: Backbone.billing, subscriptions: subscriptions, consumer: consumer,
            dataPlane: dataPlane ?? backbone.plane.dataPlane,
            configuration: configuration, logger: .silent)
        try await backbone.running([consumer, reactions], body)
    }

    static func send(_ backbone: Backbone, _ records: [KafkaRecord]) async throws {
        let producer = try backbone.producer()
        for result in await producer.produce(records) { _ = try result.get() }
        await producer.close()
    }

    static func record(
        _ number: Int, tenant: TenantID, key: String? = nil, id: EventID = IdentifierSource.system.next(),
        headers changes: [String: String?] = [:],
        value: String? = nil
    ) -> KafkaRecord {
        var headers = ReceivedEventTests.headers
        headers["ce_type"] = ThingHappenedV1.type
        headers["ce_id"] = id.description
        headers["ce_tenantid"] = tenant.description
        for (name, value) in changes { headers[name] = value }
        return KafkaRecord(
            topic: ThingHappenedV1.topic, key: Array((key ?? id.description).utf8),
            value: Array((value ?? #"{"number":\#(number),"tenantId":"\#(tenant)"}"#).utf8),
            headers: headers.map { KafkaHeader(name: $0, value: Array($1.utf8)) })
    }

    static func letters(_ backbone: Backbone) async throws -> [DeadLetter] {
        try await DeadLetters(
            schema: "billing", dataPlane: backbone.plane.dataPlane, in: { backbone.plane.homes.databases },
            logger: .silent
        ).list()
    }

    static func replay(_ backbone: Backbone, _ subscriptions: [Subscription]) -> DeadLetterReplay {
        DeadLetterReplay(
            context: Backbone.billing, subscriptions: subscriptions, dataPlane: backbone.plane.dataPlane,
            in: { backbone.plane.homes.databases }, producer: nil, logger: .silent)
    }

    static func key(_ tenant: TenantID, _ text: String) -> EventKey {
        EventKey(tenantID: tenant, topic: ThingHappenedV1.topic, key: Array(text.utf8))
    }
}

import Kafka
import Kernel
import Logging
import Messaging
import Postgres
import ServiceLifecycle
import Tenancy
import TestSupport

/// Something happened to something: the smallest contract there can be.
struct ThingHappenedV1: IntegrationEvent {
    static let type = "orders.thing.happened.v1"

    let tenantId: TenantID
    let number: Int
}

/// A database and a broker of a test's own, and what runs between them while the test does.
struct Backbone: Sendable {
    let plane: TestDataPlane
    let broker: EmbeddedBroker
    let kafka: KafkaSettings
    let outbox: Outbox
    let signal: RelaySignal

    static let orders = ContextRole.app("orders")
    static let billing = ContextRole.app("billing")

    static func with(tier: Tier = .pool, _ body: @Sendable (Backbone) async throws -> Void) async throws {
        try await TestDataPlane.with(maximum: 16, tier: tier) { plane in
            let broker = try EmbeddedBroker(topics: [TopicSpec(ThingHappenedV1.topic, partitions: 4)], logger: .silent)
            do {
                let signal = RelaySignal()
                try await body(
                    Backbone(
                        plane: plane, broker: broker, kafka: KafkaSettings(bootstrapServers: broker.bootstrapServers),
                        outbox: Outbox(schema: "orders", signal: signal), signal: signal))
            } catch {
                await broker.close()
                throw error
            }
            await broker.close()
        }
    }

    /// Runs services for as long as the body does, then stops them gracefully.
    func running(_ services: [any Service], _ body: @Sendable () async throws -> Void) async throws {
        let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: services, logger: .silent))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await body()
            } catch {
                tasks.cancelAll()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    func relay(_ signal: RelaySignal? = nil, lease: Duration = .seconds(3), producer: KafkaProducer) throws
        -> RelayFleet
    {
        var configuration = RelayConfiguration()
        configuration.lease = lease
        configuration.heartbeat = .milliseconds(100)
        return RelayFleet(
            schema: "orders", in: { [plane] in plane.homes.databases }, dataPlane: plane.dataPlane, producer: producer,
            signal: signal ?? self.signal, notices: OutboxNotices(pool: try plane.pool, logger: .silent),
            configuration: configuration, logger: .silent)
    }

    func producer() throws -> KafkaProducer { try KafkaProducer(kafka, logger: .silent) }

    /// Runs a relay while the body does.
    func relaying(_ body: @Sendable () async throws -> Void) async throws {
        let producer = try producer()
        try await running([producer, try relay(producer: producer)], body)
    }

    func publish(_ number: Int, of aggregate: Identifier<Void>, as tenant: TenantContext) async throws {
        try await plane.dataPlane.write(tenant, as: Self.orders) { transaction in
            try outbox.enqueue(event(number, of: aggregate, as: tenant), in: transaction)
        }
    }

    func event(_ number: Int, of aggregate: Identifier<Void>, as tenant: TenantContext) throws -> OutgoingEvent {
        try OutgoingEvent(
            ThingHappenedV1(tenantId: tenant.tenantID, number: number), id: IdentifierSource.system.next(),
            aggregateID: aggregate.uuid, aggregateVersion: Int64(number), at: WallClock.system.now())
    }

    /// Reads the topic from its beginning until it has so many different events; each where it came first, since the
    /// embedded broker keeps twice what was sent again after a lost answer.
    func published(_ count: Int, within limit: Duration = .seconds(30)) async throws -> [KafkaMessage] {
        let consumer = try KafkaConsumer(
            kafka, group: "test-\(IdentifierSource.system.next(EventID.self))", topics: [ThingHappenedV1.topic],
            logger: .silent)
        let messages = await withTaskGroup(of: [KafkaMessage]?.self) { group in
            group.addTask {
                var messages: [KafkaMessage] = []
                var seen: Set<String?> = []
                while messages.count < count, let more = try? await consumer.messages(maximum: 1000), !more.isEmpty {
                    messages += more.filter { seen.insert($0.header("ce_id")).inserted }
                }
                return messages
            }
            group.addTask {
                try? await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        await consumer.close()
        guard let messages else { throw TooFewMessages(wanted: count) }
        return messages
    }
}

struct TooFewMessages: Error {
    let wanted: Int
}

extension KafkaMessage {
    func header(_ name: String) -> String? {
        headers.first { $0.name == name }?.value.map { String(decoding: $0, as: UTF8.self) }
    }

    var text: String { String(decoding: value ?? [], as: UTF8.self) }
}

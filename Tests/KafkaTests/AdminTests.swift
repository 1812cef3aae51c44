import Kafka
import Testing

@Suite("Looking after topics and groups")
struct AdminTests {
    private func withAdmin<Result: Sendable>(
        _ settings: KafkaSettings, _ log: LogRecorder, _ body: (KafkaAdmin) async throws -> Result
    ) async throws -> Result {
        let admin = try KafkaAdmin(settings, logger: log.logger)
        do {
            let result = try await body(admin)
            await admin.close()
            return result
        } catch {
            await admin.close()
            throw error
        }
    }

    @Test("lists the topics with their partitions")
    func topics() async throws {
        try await withBroker(TopicSpec("b", partitions: 3), TopicSpec("a", partitions: 7)) { _, settings, log in
            let topics = try await withAdmin(settings, log) { try await $0.topics() }
            #expect(topics == [TopicSpec("a", partitions: 7), TopicSpec("b", partitions: 3)])
        }
    }

    @Test("makes topics that are missing, once")
    func ensure() async throws {
        try await withBroker(TopicSpec("there", partitions: 6)) { _, settings, log in
            let wanted = [TopicSpec("there", partitions: 5), TopicSpec("missing", partitions: 4)]
            try await withAdmin(settings, log) { admin in
                try await admin.ensureTopics(wanted)
                try await admin.ensureTopics(wanted)
                let topics = try await admin.topics()
                #expect(topics == [TopicSpec("missing", partitions: 4), TopicSpec("there", partitions: 6)])
            }
        }
    }

    @Test("refuses a topic that has fewer partitions than asked for")
    func tooFewPartitions() async throws {
        try await withBroker(TopicSpec("t", partitions: 2)) { _, settings, log in
            try await withAdmin(settings, log) { admin in
                let error = await #expect(throws: KafkaError.self) {
                    try await admin.ensureTopics([TopicSpec("t", partitions: 3)])
                }
                #expect(error?.code == .wrongPartitions)
                #expect(error?.isRetriable == false)
            }
        }
    }

    @Test("tells how far a group is behind, by what it has committed")
    func lag() async throws {
        try await withBroker(TopicSpec("t", partitions: 2)) { _, settings, log in
            try await publish(0..<10, settings, log, partition: 0)
            try await publish(0..<5, settings, log, partition: 1)
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                for message in try await consumer.read(15) where message.partition == 0 && message.offset < 4 {
                    consumer.store(message)
                }
                try await consumer.commit()
                let lag = try await withAdmin(settings, log) { try await $0.lag(of: "group", topics: ["t"]) }
                #expect(lag.map(\.source.partition) == [0, 1])
                #expect(lag.map(\.committed) == [4, nil])
                #expect(lag.map(\.end) == [10, 5])
                #expect(lag.map(\.lag) == [6, 5])
            }
        }
    }

    @Test("names a topic that is not there when asked for its lag")
    func lagOfUnknownTopic() async throws {
        try await withBroker(TopicSpec("t")) { _, settings, log in
            try await withAdmin(settings, log) { admin in
                let error = await #expect(throws: KafkaError.self) { try await admin.lag(of: "g", topics: ["none"]) }
                #expect(error?.code == .unknownTopicOrPartition)
                #expect(error?.debugDescription.contains("none") == true)
            }
        }
    }

    @Test("gives up on a broker that is away, in its time, and lets a cancelled caller go at once")
    func brokerDown() async throws {
        try await withBroker { broker, settings, log in
            try broker.setDown(true)
            var settings = settings
            settings.requestTimeout = .milliseconds(300)
            try await withAdmin(settings, log) { admin in
                let error = await #expect(throws: KafkaError.self) { try await admin.topics() }
                #expect(error?.isRetriable == true)
            }
            settings.requestTimeout = .seconds(30)
            let admin = try KafkaAdmin(settings, logger: log.logger)
            let cancelled = Task { try await admin.topics() }
            let start = ContinuousClock.now
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            #expect(start.duration(to: .now) < .seconds(5))
        }
    }
}

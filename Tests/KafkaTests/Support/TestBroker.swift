import Kafka
import Logging

extension KafkaSettings {
    /// Impatient, as the embedded broker's rebalances take almost as long as a session may be silent; but a session must
    /// outlive the three seconds for which it holds a group's first member back.
    static func test(_ broker: EmbeddedBroker) -> KafkaSettings {
        var settings = KafkaSettings(bootstrapServers: broker.bootstrapServers)
        settings.sessionTimeout = .seconds(4)
        settings.fetchWait = .milliseconds(10)
        settings.closeTimeout = .seconds(10)
        return settings
    }
}

/// Lends a broker of the test's own, with these topics, and what the clients log; ends it whatever happens.
func withBroker<Result>(
    _ topics: TopicSpec..., within limit: Duration = .seconds(60),
    _ body: @escaping @Sendable (EmbeddedBroker, KafkaSettings, LogRecorder) async throws -> Result
) async throws -> Result where Result: Sendable {
    let broker = try EmbeddedBroker(topics: topics, logger: Logger(label: "broker") { _ in SwiftLogNoOpLogHandler() })
    let log = LogRecorder()
    do {
        let result = try await within(limit) { try await body(broker, .test(broker), log) }
        await broker.close()
        return result
    } catch {
        await broker.close()
        for line in log.lines.suffix(40) { print("\(line.level): \(line.message)") }
        throw error
    }
}

struct TooLate: Error {
    let limit: Duration
}

/// Throws where the body takes longer, and cancels it.
func within<Result: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw TooLate(limit: limit)
        }
        defer { group.cancelAll() }
        return try await group.next()!
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

/// Records with the numbers as values, all to one partition.
func numbered(_ numbers: Range<Int>, topic: String, partition: Int32? = 0) -> [KafkaRecord] {
    numbers.map { KafkaRecord(topic: topic, key: bytes("key"), value: bytes("\($0)"), partition: partition) }
}

extension KafkaMessage {
    var number: Int? { text(value).flatMap { Int($0) } }
}

/// Each number where it came first.
func firsts(of numbers: [Int?]) -> [Int] {
    var seen: Set<Int> = []
    return numbers.compactMap { $0 }.filter { seen.insert($0).inserted }
}

extension [Result<Delivery, KafkaError>] {
    var deliveries: [Delivery] {
        compactMap { if case .success(let delivery) = $0 { delivery } else { nil } }
    }

    var failures: [KafkaError] {
        compactMap { if case .failure(let error) = $0 { error } else { nil } }
    }
}

extension KafkaConsumer {
    /// Reads, without storing, until it has so many.
    func read(_ count: Int) async throws -> [KafkaMessage] {
        var messages: [KafkaMessage] = []
        while messages.count < count {
            let more = try await self.messages(maximum: 1000)
            if more.isEmpty { break }
            messages += more
        }
        return messages
    }
}

/// Makes a consumer, lends it and closes it.
func withConsumer<Result: Sendable>(
    _ settings: KafkaSettings, group: String = "group", topics: [String], _ log: LogRecorder,
    observer: (@Sendable (KafkaConsumer.Rebalance) -> Void)? = nil,
    _ body: (KafkaConsumer) async throws -> Result
) async throws -> Result {
    let consumer = try KafkaConsumer(settings, group: group, topics: topics, logger: log.logger, observer: observer)
    do {
        let result = try await body(consumer)
        await consumer.close()
        return result
    } catch {
        await consumer.close()
        throw error
    }
}

/// Makes a producer, lends it and closes it.
func withProducer<Result: Sendable>(
    _ settings: KafkaSettings, _ log: LogRecorder, _ body: (KafkaProducer) async throws -> Result
) async throws -> Result {
    let producer = try KafkaProducer(settings, logger: log.logger)
    do {
        let result = try await body(producer)
        await producer.close()
        return result
    } catch {
        await producer.close()
        throw error
    }
}

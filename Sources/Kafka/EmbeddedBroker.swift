import CRDKafka
package import Logging
import Reactor
import Synchronization

/// A Kafka cluster inside this process, on loopback ports of its own choosing: librdkafka's mock, which speaks the real
/// protocol to any client.
///
/// It checks no sequence numbers of idempotent producers, so a record whose answer is lost with a connection is there
/// twice, and refuses commits while a group rebalances, so a handover can repeat messages. Both differ from Kafka's own.
/// Everything is in memory, about the newest 5 MB of each partition. Topics that clients ask for come into being; the
/// admin request that creates topics is not served. All members of one group must use one assignment strategy:
/// librdkafka ends the process over a mixture. A group's first member waits three seconds to be let in, so a session
/// timeout below that never gets in; later rebalances take the session timeout less a second.
package final class EmbeddedBroker: Sendable {
    private let client: ClientHandle
    private let cluster: Cluster
    private let brokers: Int
    private let ports: Set<UInt16>
    /// `host:port` of every broker, with commas between.
    package let bootstrapServers: String

    package init(
        brokers: Int = 1, topics: [TopicSpec] = [], logger: Logger = Logger(label: "kafka.embedded")
    ) throws {
        self.brokers = brokers
        // The mock cluster hangs on a client, which serves no other purpose.
        client = try ClientHandle(.producer, properties: ["log.queue": "true", "client.id": "embedded-broker"])
        let made = client.lend { Cluster(on: $0.client, brokers: brokers) } ?? nil
        guard let made else { throw KafkaError(.badConfiguration, "the embedded broker found no port to listen on") }
        cluster = made
        bootstrapServers = made.bootstrapServers
        ports = Set(bootstrapServers.split(separator: ",").compactMap { UInt16($0.split(separator: ":").last ?? "") })
        sendAtOnce(onPorts: ports)
        try client.watch { [weak client] in
            client?.drainEvents { event in
                if case .log(let line) = event { logger.debug("embedded broker: \(line.text)") }
            }
        }
        for topic in topics { try create(topic) }
    }

    /// Makes the topic; does nothing where it exists, whatever its partitions.
    package func create(_ topic: TopicSpec) throws {
        let code = cluster.lend {
            rd_kafka_mock_topic_create(
                $0, topic.name, Int32(clamping: topic.partitions), Int32(clamping: topic.replicas))
        }
        if code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS { try check(code, "create \(topic.name)") }
    }

    /// Breaks all connections and takes no new ones, or takes them again. What the partitions hold stays.
    package func setDown(_ isDown: Bool) throws {
        for broker in 1...Int32(brokers) {
            let code = cluster.lend {
                isDown ? rd_kafka_mock_broker_set_down($0, broker) : rd_kafka_mock_broker_set_up($0, broker)
            }
            try check(code, isDown ? "take the broker down" : "bring the broker up")
        }
        // A broker that comes back listens with a socket of its own.
        if !isDown { sendAtOnce(onPorts: ports) }
    }

    /// Delays every answer.
    package func setLatency(_ latency: Duration) throws {
        for broker in 1...Int32(brokers) {
            let code = cluster.lend {
                rd_kafka_mock_broker_set_rtt($0, broker, Int32(clamping: latency.wholeMilliseconds))
            }
            try check(code, "set the latency")
        }
    }

    /// Answers the next requests of that kind with these errors, one each; a lost connection breaks it.
    package func fail(_ request: Request, with errors: [KafkaError.Code]) {
        let codes = errors.map { rd_kafka_resp_err_t($0.rawValue) }
        cluster.lend { rd_kafka_mock_push_request_errors_array($0, request.rawValue, codes.count, codes) }
    }

    package func clearFailures(of request: Request) {
        cluster.lend { rd_kafka_mock_clear_request_errors($0, request.rawValue) }
    }

    /// How a request is answered: with an error, late, or both.
    package struct Answer: Sendable {
        package var error: KafkaError.Code?
        package var delay: Duration

        package init(error: KafkaError.Code? = nil, after delay: Duration = .zero) {
            self.error = error
            self.delay = delay
        }
    }

    /// Lets a broker answer its next requests of that kind so, one each, whoever sends them.
    ///
    /// A request that is answered with an error is not carried out.
    package func answer(_ request: Request, with answers: [Answer], by broker: Int32 = 1) throws {
        for answer in answers {
            let code = cluster.lend {
                atrium_mock_push_answer(
                    $0, broker, request.rawValue, rd_kafka_resp_err_t(answer.error?.rawValue ?? 0),
                    Int32(clamping: answer.delay.wholeMilliseconds))
            }
            try check(code, "prepare an answer")
        }
    }

    /// How many of the prepared answers nobody has fetched yet.
    package func answersLeft(for request: Request, at broker: Int32 = 1) throws -> Int {
        var count = 0
        let code = cluster.lend { rd_kafka_mock_broker_error_stack_cnt($0, broker, request.rawValue, &count) }
        try check(code, "count the answers that are left")
        return count
    }

    /// Lets the topic's metadata say that error; nil takes it back.
    package func setError(_ error: KafkaError.Code?, of topic: String) {
        cluster.lend { rd_kafka_mock_topic_set_error($0, topic, rd_kafka_resp_err_t(error?.rawValue ?? 0)) }
    }

    /// The kinds of requests, by their numbers in Kafka's protocol.
    package enum Request: Int16, Sendable {
        case produce = 0
        case fetch = 1
        case listOffsets = 2
        case metadata = 3
        case offsetCommit = 8
        case offsetFetch = 9
        case findCoordinator = 10
        case joinGroup = 11
        case heartbeat = 12
        case leaveGroup = 13
        case syncGroup = 14
        case initProducerID = 22
    }

    /// Ends the cluster; clients see their connections break.
    package func close() async {
        await withCheckedContinuation { continuation in
            BlockingCalls.shared.run { [cluster] in
                cluster.destroy()
                continuation.resume()
            }
        }
        await client.close()
    }

    deinit {
        // The cluster has to go before its client, and ends a thread of its own.
        BlockingCalls.shared.run { [cluster, client] in
            withExtendedLifetime(client) { cluster.destroy() }
        }
    }

    private func check(_ code: rd_kafka_resp_err_t?, _ what: String) throws {
        guard let code else { throw KafkaError(.closed) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(KafkaError.Code(code), what) }
    }
}

/// Owns the C cluster.
///
/// `@unchecked` because of the pointer: the mock's calls are handed to its own thread, and the lock keeps them from a
/// cluster that is gone.
private final class Cluster: @unchecked Sendable {
    private let cluster: OpaquePointer
    private let isAlive = Mutex(true)
    let bootstrapServers: String

    init?(on client: OpaquePointer, brokers: Int) {
        guard let cluster = rd_kafka_mock_cluster_new(client, Int32(clamping: brokers)) else { return nil }
        self.cluster = cluster
        bootstrapServers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
    }

    @discardableResult
    func lend<Result>(_ body: (OpaquePointer) -> Result) -> Result? {
        isAlive.withLock { $0 ? body(cluster) : nil }
    }

    /// Blocks until the cluster's thread has ended.
    func destroy() {
        isAlive.withLock { isAlive in
            if isAlive { rd_kafka_mock_cluster_destroy(cluster) }
            isAlive = false
        }
    }
}

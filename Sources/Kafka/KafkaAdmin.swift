package import Logging
import Reactor

/// Looks after topics and groups; holds a connection of its own until it is closed or gone.
package struct KafkaAdmin: Sendable {
    private let client: ClientHandle
    private let settings: KafkaSettings
    private let logger: Logger

    package init(_ settings: KafkaSettings, logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        client = try ClientHandle(.producer, properties: settings.adminProperties)
        try client.watch { [weak client] in
            client?.drainEvents { event in
                switch event {
                case .error(let error): logger.take(error)
                case .log(let line): logger.take(line)
                case .deliveries, .assigned, .revoked, .committed: break
                }
            }
        }
    }

    package func close() async { await client.close() }

    package func topics() async throws -> [TopicSpec] {
        try await BlockingCalls.kafka.result { [client, settings] in
            try client.listTopics(timeout: settings.requestTimeout).sorted { $0.name < $1.name }
        }
    }

    /// Makes what is missing, and refuses a topic that has fewer partitions than asked for.
    package func ensureTopics(_ wanted: [TopicSpec]) async throws {
        let absent = try await missing(of: wanted)
        guard !absent.isEmpty else { return }
        // The embedded broker takes no request to create topics, and makes one, of four partitions, when it hears its
        // name. Others are told not to, so that nothing comes of this there.
        try await BlockingCalls.kafka.result { [client, settings] in
            for topic in absent { try client.mention(topic.name, timeout: settings.requestTimeout) }
        }
        let missing = try await missing(of: wanted)
        if !missing.isEmpty {
            let errors = try await BlockingCalls.kafka.result { [client, settings] in
                try client.createTopics(missing, timeout: settings.requestTimeout)
            }
            // Another process may have been faster.
            if let error = errors.lazy.compactMap(\.self).first(where: { $0.code != .topicAlreadyExists }) {
                throw error
            }
        }
        logger.info("topics created", metadata: ["topics": "\(absent.map(\.name))"])
    }

    private func missing(of wanted: [TopicSpec]) async throws -> [TopicSpec] {
        let existing = Dictionary(uniqueKeysWithValues: try await topics().map { ($0.name, $0) })
        return try wanted.filter { topic in
            guard let found = existing[topic.name] else { return true }
            guard found.partitions >= topic.partitions else {
                throw KafkaError(
                    .wrongPartitions, "\(topic.name) has \(found.partitions) partitions, \(topic.partitions) are wanted"
                )
            }
            return false
        }
    }

    /// How far a group has come in one partition.
    package struct PartitionLag: Sendable, Hashable {
        package let source: TopicPartition
        /// Nil where the group has committed nothing.
        package let committed: Int64?
        /// The offset that the next message will get.
        package let end: Int64
        /// Messages that the group has not dealt with, by what it has committed.
        package let lag: Int64
    }

    /// Whether the topics hold nothing from before a time, in milliseconds since 1970, and the group has read on behind it.
    package func hasOutlived(_ time: Int64, group: String, topics names: [String]) async throws -> Bool {
        try await BlockingCalls.kafka.result { [client, settings] in
            let partitions = try client.listTopics(timeout: settings.requestTimeout)
                .filter { names.contains($0.name) }
                .flatMap { topic in
                    (0..<Int32(topic.partitions)).map { TopicPartition(topic: topic.name, partition: $0) }
                }
            // A topic that can't be seen may hold anything.
            guard Set(partitions.map(\.topic)) == Set(names) else { return false }
            let ranges = try client.ranges(of: partitions, timeout: settings.requestTimeout)
            let since = try client.offsets(at: time, partitions, settings.requestTimeout)
            let committed = try client.committedOffsets(of: group, partitions, timeout: settings.requestTimeout)
            return partitions.allSatisfy { partition in
                guard let range = ranges[partition] else { return false }
                if range.first == range.end { return true }
                return since[partition] == range.first && (committed[partition] ?? -1) >= range.first
            }
        }
    }

    package func lag(of group: String, topics names: [String]) async throws -> [PartitionLag] {
        try await BlockingCalls.kafka.result { [client, settings] in
            let partitions = try client.listTopics(timeout: settings.requestTimeout)
                .filter { names.contains($0.name) }
                .flatMap { topic in
                    (0..<Int32(topic.partitions)).map { TopicPartition(topic: topic.name, partition: $0) }
                }
            if let unknown = names.first(where: { name in !partitions.contains { $0.topic == name } }) {
                throw KafkaError(.unknownTopicOrPartition, unknown)
            }
            let committed = try client.committedOffsets(of: group, partitions, timeout: settings.requestTimeout)
            let ranges = try client.ranges(of: partitions, timeout: settings.requestTimeout)
            return partitions.map { partition in
                let range = ranges[partition] ?? .init(first: 0, end: 0)
                let position = max(committed[partition] ?? range.first, range.first)
                return PartitionLag(
                    source: partition, committed: committed[partition], end: range.end,
                    lag: max(0, range.end - position))
            }
        }
    }
}

/// What a producer sends. Without a partition the key picks one, the way Java's clients do, and no key means any.
package struct KafkaRecord: Sendable, Hashable {
    package var topic: String
    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [KafkaHeader]
    package var partition: Int32?

    package init(
        topic: String, key: [UInt8]? = nil, value: [UInt8]?, headers: [KafkaHeader] = [], partition: Int32? = nil
    ) {
        self.topic = topic
        self.key = key
        self.value = value
        self.headers = headers
        self.partition = partition
    }
}

/// A header of a record; names may repeat, and their order is kept.
package struct KafkaHeader: Sendable, Hashable {
    package var name: String
    package var value: [UInt8]?

    package init(name: String, value: [UInt8]?) {
        self.name = name
        self.value = value
    }
}

/// Where the broker put a record.
package struct Delivery: Sendable, Hashable {
    package let partition: Int32
    /// -1 where the broker knew the record from an earlier try and kept its first offset to itself.
    package let offset: Int64

    package init(partition: Int32, offset: Int64) {
        self.partition = partition
        self.offset = offset
    }
}

/// What a consumer receives.
package struct KafkaMessage: Sendable, Hashable {
    package let topic: String
    package let partition: Int32
    package let offset: Int64
    package let key: [UInt8]?
    package let value: [UInt8]?
    package let headers: [KafkaHeader]
    /// Milliseconds since 1970 by the producer's or the broker's clock; -1 where the record has none.
    package let timestamp: Int64
    /// Which assignment of the partition the message was read under, so that it is not stored under another.
    let epoch: UInt64

    package init(
        topic: String, partition: Int32, offset: Int64, key: [UInt8]? = nil, value: [UInt8]?,
        headers: [KafkaHeader] = [], timestamp: Int64 = -1
    ) {
        self.init(
            TopicPartition(topic: topic, partition: partition), offset: offset, key: key, value: value,
            headers: headers, timestamp: timestamp, epoch: 0)
    }

    init(
        _ source: TopicPartition, offset: Int64, key: [UInt8]?, value: [UInt8]?, headers: [KafkaHeader],
        timestamp: Int64, epoch: UInt64
    ) {
        topic = source.topic
        partition = source.partition
        self.offset = offset
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
        self.epoch = epoch
    }

    package var source: TopicPartition { TopicPartition(topic: topic, partition: partition) }

    /// Where it stands, without what it holds.
    package var position: MessagePosition {
        MessagePosition(source: source, offset: offset, timestamp: timestamp, epoch: epoch)
    }
}

/// Where a message stands in its partition, and under which assignment it was read.
package struct MessagePosition: Sendable, Hashable {
    package let source: TopicPartition
    package let offset: Int64
    /// Milliseconds since 1970 by the producer's or the broker's clock; -1 where the record has none.
    package let timestamp: Int64
    package let epoch: UInt64

    package init(source: TopicPartition, offset: Int64, timestamp: Int64 = -1, epoch: UInt64 = 0) {
        self.source = source
        self.offset = offset
        self.timestamp = timestamp
        self.epoch = epoch
    }
}

package struct TopicPartition: Sendable, Hashable {
    package let topic: String
    package let partition: Int32

    package init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }
}

extension TopicPartition: CustomStringConvertible {
    package var description: String { "\(topic)[\(partition)]" }
}

/// A topic as it should be, or as it is.
package struct TopicSpec: Sendable, Hashable {
    package var name: String
    package var partitions: Int
    package var replicas: Int

    package init(_ name: String, partitions: Int = 4, replicas: Int = 1) {
        self.name = name
        self.partitions = partitions
        self.replicas = replicas
    }
}

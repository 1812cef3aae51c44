/// Which partitions are a consumer's own, and what may be stored for them.
///
/// Pure. Every assignment of a partition, and every seek in it, is an epoch; a message carries the one it was read
/// under, so that work begun before a partition went away, or before a seek, cannot move its offset afterwards.
struct Assignment {
    private(set) var epochs: [TopicPartition: UInt64] = [:]
    private var lastEpoch: UInt64 = 0
    private var stored: [TopicPartition: Int64] = [:]
    private(set) var paused: Set<TopicPartition> = []

    mutating func assign(_ partitions: [TopicPartition]) {
        for partition in partitions { renew(partition) }
    }

    mutating func revoke(_ partitions: [TopicPartition]) {
        for partition in partitions {
            epochs[partition] = nil
            stored[partition] = nil
            paused.remove(partition)
        }
    }

    /// Begins an epoch: nothing read before counts any more.
    mutating func renew(_ partition: TopicPartition) {
        lastEpoch += 1
        epochs[partition] = lastEpoch
        stored[partition] = nil
    }

    func owns(_ message: KafkaMessage) -> Bool { epochs[message.source] == message.epoch }

    /// Whether the message is its partition's newest so far, under the assignment it was read under.
    mutating func advance(to message: KafkaMessage) -> Bool {
        let partition = message.source
        guard owns(message), message.offset > stored[partition] ?? -1 else { return false }
        stored[partition] = message.offset
        return true
    }

    mutating func pause(_ partition: TopicPartition) { paused.insert(partition) }
    mutating func resume(_ partition: TopicPartition) { paused.remove(partition) }
}

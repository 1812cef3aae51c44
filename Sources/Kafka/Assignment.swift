/// Which partitions are a consumer's own, and what may be stored for them.
///
/// Pure. Every assignment of a partition, and every seek in it, is an epoch; a message carries the one it was read
/// under, so that work begun before a partition went away, or before a seek, cannot move its offset afterwards.
struct Assignment {
    private(set) var epochs: [TopicPartition: UInt64] = [:]
    private var lastEpoch: UInt64 = 0
    private var stored: [TopicPartition: Int64] = [:]
    private(set) var paused: Set<TopicPartition> = []
    /// Those that librdkafka was told to read: where a consumer begins when it is told, they come later.
    private(set) var begun: Set<TopicPartition> = []

    mutating func assign(_ partitions: [TopicPartition]) {
        for partition in partitions { renew(partition) }
    }

    mutating func revoke(_ partitions: [TopicPartition]) {
        for partition in partitions {
            epochs[partition] = nil
            stored[partition] = nil
            paused.remove(partition)
            begun.remove(partition)
        }
    }

    mutating func begin(_ partitions: [TopicPartition]) { begun.formUnion(partitions) }

    /// The partition stays this consumer's, but nothing more is read from it until it is begun with again.
    mutating func suspend(_ partition: TopicPartition) {
        renew(partition)
        begun.remove(partition)
        paused.remove(partition)
    }

    /// Begins an epoch: nothing read before counts any more.
    mutating func renew(_ partition: TopicPartition) {
        lastEpoch += 1
        epochs[partition] = lastEpoch
        stored[partition] = nil
    }

    func owns(_ position: MessagePosition) -> Bool { epochs[position.source] == position.epoch }

    /// Whether the message is its partition's newest so far, under the assignment it was read under.
    mutating func advance(to position: MessagePosition) -> Bool {
        guard owns(position), position.offset > stored[position.source] ?? -1 else { return false }
        stored[position.source] = position.offset
        return true
    }

    mutating func pause(_ partition: TopicPartition) { paused.insert(partition) }
    mutating func resume(_ partition: TopicPartition) { paused.remove(partition) }
}

import Kafka
import Kernel

/// Which messages of a topic lie between two places, by partition.
struct TopicSpan: Sendable {
    private(set) var ranges: [TopicPartition: Range<Int64>] = [:]

    var count: Int64 { ranges.values.reduce(0) { $0 + Int64($1.count) } }

    /// What the topic holds when this is asked bounds it, so that it ends.
    ///
    /// - Parameters:
    ///   - from: one place for all partitions, or an offset for each partition that is wanted.
    ///   - until: the same, left out of the span; without any, the end.
    init(of topic: String, from: [EventPlace], until: [EventPlace], by reader: KafkaReader) async throws {
        let partitions = try await reader.partitions(of: topic)
        let held = try await reader.spans(of: partitions)
        let lower = try await Self.offsets(from, in: partitions, held, reader)
        let upper = try await Self.offsets(until.isEmpty ? [.end] : until, in: partitions, held, reader)
        let namesPartitions = from.contains { if case .offset = $0 { true } else { false } }
        for (partition, span) in held {
            // Where offsets are given, they say which partitions are wanted.
            guard let start = lower[partition] ?? (namesPartitions ? nil : span.first) else { continue }
            let end = min(upper[partition] ?? span.end, span.end)
            if let asked = lower[partition], asked < span.first, namesPartitions {
                throw UnusablePlaces(
                    description: "\(partition) begins at \(span.first) by now: what was before is gone from the broker")
            }
            let first = max(start, span.first)
            if first < end { ranges[partition] = first..<end }
        }
    }

    private static func offsets(
        _ places: [EventPlace], in partitions: [TopicPartition], _ held: [TopicPartition: KafkaReader.Span],
        _ reader: KafkaReader
    ) async throws -> [TopicPartition: Int64] {
        if places.count == 1 {
            switch places[0] {
            case .beginning: return held.mapValues(\.first)
            case .end: return held.mapValues(\.end)
            case .time(let time):
                // A message of the millisecond before is older.
                let milliseconds = (time.microsecondsSinceEpoch + 999) / 1000
                return try await reader.offsets(at: milliseconds, of: partitions)
            case .offset: break
            }
        }
        var offsets: [TopicPartition: Int64] = [:]
        for place in places {
            guard case .offset(let number, let offset) = place else {
                throw UnusablePlaces(description: "only partition:offset can be given more than once")
            }
            guard let partition = partitions.first(where: { $0.partition == number }) else {
                throw UnusablePlaces(
                    description: "there is no partition \(number); the topic has 0 to \(partitions.count - 1)")
            }
            guard offsets.updateValue(offset, forKey: partition) == nil else {
                throw UnusablePlaces(description: "partition \(number) is given twice")
            }
        }
        return offsets
    }
}

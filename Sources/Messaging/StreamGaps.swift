package import Foundation
package import Kafka
package import Kernel
package import Logging
import Postgres
package import Tenancy

/// A span of a partition that the broker lost before it was taken in.
package struct StreamGap: Sendable {
    package let id: UUID
    package let source: TopicPartition
    /// The next offset that was to be read, where that is known.
    package let expected: Int64?
    /// What the broker had when the gap was found: its first offset, and the one that the next message would get.
    package let available: Range<Int64>
    package let cause: String
    /// The broker's time of the last message that was taken in.
    package let takenInUntil: Timestamp?
    package let foundAt: Timestamp
    /// Where to go on from, once somebody has had the span published again.
    package let resumeOffset: Int64?
}

/// The gaps in what one context has read, in the control plane's database.
package struct StreamGaps: Sendable {
    package let schema: String
    private let dataPlane: DataPlane
    private let logger: Logger

    package init(schema: String, dataPlane: DataPlane, logger: Logger) {
        self.schema = schema
        self.dataPlane = dataPlane
        self.logger = logger
    }

    /// Those that nobody has resolved.
    package func open() async throws -> [StreamGap] {
        try await select("WHERE resolved_at IS NULL ORDER BY found_at, topic, partition")
    }

    /// Has the group go on at `offset`: what was missing must come from there on, and in order. So it is an end of the
    /// partition that was asked for while nothing was published, before the span was published again.
    package func resolve(_ id: UUID, resumeAt offset: Int64, by actor: String) async throws -> Bool {
        try await crossTenant(.once("resolve a gap")) { transaction in
            try await !transaction.rowsWriting(
                """
                UPDATE \(unsafeSQL: schema).stream_gaps
                SET resume_offset = \(offset), resolved_at = now(), resolved_by = \(actor)
                WHERE id = \(id) AND resolved_at IS NULL RETURNING true
                """
            ).isEmpty
        }
    }

    // MARK: For the consumer

    /// What is written down about partitions.
    struct Books: Sendable {
        /// The next offset to be read.
        var next: [TopicPartition: Int64] = [:]
        /// Gaps that the group has not gone on from.
        var gaps: [TopicPartition: StreamGap] = [:]
    }

    func books() async throws -> Books {
        try await crossTenant(.routine("see how far events were taken in")) { transaction in
            var books = Books()
            for row in try await transaction.rows(
                "SELECT topic, partition, next_offset FROM \(unsafeSQL: schema).consumed")
            {
                let (topic, partition, next) = try row.decode((String, Int32, Int64).self)
                books.next[TopicPartition(topic: topic, partition: partition)] = next
            }
            for row in try await transaction.rows(
                "SELECT \(Self.columns) FROM \(unsafeSQL: schema).stream_gaps WHERE taken_at IS NULL")
            {
                let gap = try StreamGap(row)
                books.gaps[gap.source] = gap
            }
            return books
        }
    }

    /// Writes down a gap; answers nothing where it is known already.
    func record(
        _ source: TopicPartition, expected: Int64?, available: Range<Int64>, cause: String
    ) async throws -> Bool {
        let id: Identifier<Void> = IdentifierSource.system.next()
        return try await crossTenant(.once("write down a gap")) { transaction in
            try await !transaction.rowsWriting(
                """
                INSERT INTO \(unsafeSQL: schema).stream_gaps
                    (id, topic, partition, expected, first_there, end_there, cause, taken_in_until)
                VALUES (\(id), \(source.topic), \(source.partition), \(expected), \(available.lowerBound), \
                \(available.upperBound), \(cause), (
                    SELECT recorded_at FROM \(unsafeSQL: schema).consumed
                    WHERE topic = \(source.topic) AND partition = \(source.partition)))
                ON CONFLICT (topic, partition) WHERE taken_at IS NULL DO NOTHING RETURNING true
                """
            ).isEmpty
        }
    }

    /// The place where the group was to go on is no longer there: somebody has to see to the gap once more.
    func reopen(_ gap: StreamGap, available: Range<Int64>) async throws {
        try await crossTenant(.once("open a gap again")) { transaction in
            transaction.enqueue(
                """
                UPDATE \(unsafeSQL: schema).stream_gaps
                SET resume_offset = NULL, resolved_at = NULL, resolved_by = NULL,
                    first_there = \(available.lowerBound), end_there = \(available.upperBound)
                WHERE id = \(gap.id) AND taken_at IS NULL
                """)
        }
        logger.critical(
            "a gap is open again: what was published anew is gone; run: atrium events refill --context \(schema)",
            metadata: ["partition": "\(gap.source)"])
    }

    /// The group has gone on at the gap's offset, and said so to the broker.
    func take(_ gap: StreamGap) async throws {
        try await crossTenant(.once("go on behind a gap")) { transaction in
            transaction.enqueue(
                """
                INSERT INTO \(unsafeSQL: schema).consumed (topic, partition, next_offset)
                VALUES (\(gap.source.topic), \(gap.source.partition), \(gap.resumeOffset ?? 0))
                ON CONFLICT ON CONSTRAINT consumed_pkey DO UPDATE SET next_offset = excluded.next_offset, at = now()
                """)
            transaction.enqueue(
                "UPDATE \(unsafeSQL: schema).stream_gaps SET taken_at = now() WHERE id = \(gap.id)")
        }
    }

    /// Writes down where partitions were begun with; what is known of them already stays.
    func enter(_ starts: [TopicPartition: Int64]) async throws {
        guard !starts.isEmpty else { return }
        let starts = starts.map { ($0.key.topic, $0.key.partition, $0.value) }
        try await crossTenant(.routine("write down which partitions there are")) { transaction in
            transaction.enqueue(
                """
                INSERT INTO \(unsafeSQL: schema).consumed (topic, partition, next_offset)
                SELECT * FROM unnest(\(starts.map(\.0))::text[], \(starts.map(\.1))::int[], \
                \(starts.map(\.2))::bigint[])
                ON CONFLICT ON CONSTRAINT consumed_pkey DO NOTHING
                """)
        }
    }

    /// Writes down what was stored, in one statement.
    func write(_ positions: [MessagePosition]) async throws {
        guard !positions.isEmpty else { return }
        try await crossTenant(.routine("write down how far events were taken in")) { transaction in
            transaction.enqueue(
                """
                INSERT INTO \(unsafeSQL: schema).consumed AS c (topic, partition, next_offset, recorded_at)
                SELECT t.topic, t.partition, t.next_offset,
                    CASE WHEN t.recorded > 0 THEN to_timestamp(t.recorded / 1000.0) END
                FROM unnest(\(positions.map(\.source.topic))::text[], \(positions.map(\.source.partition))::int[],
                    \(positions.map { $0.offset + 1 })::bigint[], \(positions.map(\.timestamp))::bigint[])
                    AS t (topic, partition, next_offset, recorded)
                ON CONFLICT ON CONSTRAINT consumed_pkey DO UPDATE
                SET next_offset = excluded.next_offset, at = now(),
                    recorded_at = coalesce(excluded.recorded_at, c.recorded_at)
                """)
        }
    }

    private static let columns: SQL =
        "id, topic, partition, expected, first_there, end_there, cause, taken_in_until, found_at, resume_offset"

    private func select(_ condition: SQL) async throws -> [StreamGap] {
        try await crossTenant(.once("read gaps")) {
            try await $0.rows("SELECT \(Self.columns) FROM \(unsafeSQL: schema).stream_gaps \(condition)")
        }.map { try StreamGap($0) }
    }

    private func crossTenant<Result>(
        _ reason: CrossTenantReason, _ body: (CrossTenantTransaction) async throws -> Result
    ) async throws -> Result {
        try await dataPlane.crossTenant(
            in: dataPlane.fleet.control, as: .worker(schema), reason: reason, logger: logger, body)
    }
}

extension StreamGap {
    init(_ row: Row) throws {
        let topic: String
        let partition: Int32
        let first: Int64
        let end: Int64
        (id, topic, partition, expected, first, end, cause, takenInUntil, foundAt, resumeOffset) = try row.decode(
            (UUID, String, Int32, Int64?, Int64, Int64, String, Timestamp?, Timestamp, Int64?).self)
        source = TopicPartition(topic: topic, partition: partition)
        available = first..<max(first, end)
    }
}

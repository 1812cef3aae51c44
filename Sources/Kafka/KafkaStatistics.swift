/// What a producer has done since it was made.
package struct ProducerStatistics: Sendable, Hashable {
    package var delivered = 0
    package var failed = 0
    /// Records handed to librdkafka that the broker has not answered for.
    package var inFlight = 0
    /// How often `produce` had to wait for room in the local queue.
    package var queueFullWaits = 0
    /// Trouble librdkafka told of: brokers out of reach and the like.
    package var errors = 0
    /// How often a fatal error made the producer start afresh.
    package var restarts = 0

    package init() {}
}

/// What a consumer has done since it was made.
package struct ConsumerStatistics: Sendable, Hashable {
    package var consumed = 0
    package var stored = 0
    /// Messages whose offset was not stored because their partition had gone, or a later one was stored already.
    package var storesRefused = 0
    package var rebalances = 0
    package var failedCommits = 0
    package var errors = 0
    /// How often the broker no longer had the offset that was asked for, so that messages may have been missed.
    package var offsetResets = 0

    package init() {}
}

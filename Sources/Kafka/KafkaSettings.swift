/// How to reach the brokers, and how producers and consumers behave towards them.
package struct KafkaSettings: Sendable {
    /// `host:port`, more than one separated by commas.
    package var bootstrapServers: String
    package var clientID = "atrium"

    /// How long a record may wait for the broker before it fails; without a limit it waits, and keeps its order, for as
    /// long as the broker is away.
    package var deliveryTimeout: Duration?
    /// How long the producer collects records for one request: just so that what is handed over at once goes together.
    package var linger: Duration = .microseconds(500)
    /// How many requests of the producer a broker has at a time. More than one is safe with a broker that checks their
    /// sequence, as Kafka does; the embedded one does not, and may keep records out of order, or lose some, after an error.
    package var requestsInFlight = 5
    /// How many records may wait for the broker before `produce` has to wait for reports.
    package var queuedRecords = 100_000
    package var queuedKilobytes = 65_536
    package var largestRecord = 1_000_000

    package var sessionTimeout: Duration = .seconds(10)
    /// How long a consumer may go without asking for messages before its partitions are given to others.
    package var processingTimeout: Duration = .seconds(300)
    package var commitInterval: Duration = .seconds(1)
    /// How long a broker that has nothing to deliver holds a request for messages back. The embedded broker sits that
    /// time out even when a message arrives, so it bounds the delay there.
    package var fetchWait: Duration = .milliseconds(50)
    /// How many kilobytes a consumer reads ahead.
    package var readAheadKilobytes = 16_384

    /// How long `close()` tries to deliver what is queued, or to commit and leave the group.
    package var closeTimeout: Duration = .seconds(5)
    /// How long one request of `KafkaAdmin` may take.
    package var requestTimeout: Duration = .seconds(10)

    /// librdkafka properties that win over all the above: TLS, SASL and the like.
    package var properties: [String: String] = [:]

    package init(bootstrapServers: String) {
        self.bootstrapServers = bootstrapServers
    }
}

// MARK: As librdkafka's properties

extension KafkaSettings {
    var producerProperties: [String: String] {
        common([
            "enable.idempotence": "true",
            "acks": "all",
            "compression.type": "lz4",
            "linger.ms": String(linger / .milliseconds(1)),
            "max.in.flight.requests.per.connection": String(requestsInFlight),
            "message.timeout.ms": deliveryTimeout?.milliseconds ?? "0",
            "message.max.bytes": String(largestRecord),
            "queue.buffering.max.messages": String(queuedRecords),
            "queue.buffering.max.kbytes": String(queuedKilobytes),
            "partitioner": "murmur2_random",
        ])
    }

    func consumerProperties(group: String, resetsOffsets: Bool = true) -> [String: String] {
        common([
            "group.id": group,
            "enable.auto.commit": "true",
            "auto.commit.interval.ms": commitInterval.milliseconds,
            "enable.auto.offset.store": "false",
            "auto.offset.reset": resetsOffsets ? "earliest" : "error",
            "enable.partition.eof": "false",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": sessionTimeout.milliseconds,
            "heartbeat.interval.ms": (sessionTimeout / 4).milliseconds,
            "max.poll.interval.ms": max(processingTimeout, sessionTimeout).milliseconds,
            "fetch.wait.max.ms": fetchWait.milliseconds,
            "fetch.error.backoff.ms": "100",
            "queued.max.messages.kbytes": String(readAheadKilobytes),
            "topic.metadata.refresh.interval.ms": "30000",
        ])
    }

    /// A group has to be named for partitions to be assigned by hand; none of that name is ever joined or committed to.
    var readerProperties: [String: String] {
        common([
            "group.id": "\(clientID)-reader",
            "enable.auto.commit": "false",
            "enable.auto.offset.store": "false",
            // A place that is gone is the reader's to know of, not to be moved away from in silence.
            "auto.offset.reset": "error",
            "enable.partition.eof": "true",
            "max.poll.interval.ms": max(processingTimeout, sessionTimeout).milliseconds,
            "fetch.wait.max.ms": fetchWait.milliseconds,
            "fetch.error.backoff.ms": "100",
            "queued.max.messages.kbytes": String(readAheadKilobytes),
        ])
    }

    var adminProperties: [String: String] {
        common(["allow.auto.create.topics": "false"])
    }

    private func common(_ own: [String: String]) -> [String: String] {
        [
            "bootstrap.servers": bootstrapServers,
            "client.id": clientID,
            // A broker that comes back should not be found out about only ten seconds later.
            "reconnect.backoff.ms": "50",
            "reconnect.backoff.max.ms": "1000",
            "socket.keepalive.enable": "true",
            // Small requests that wait for one another would each sit out the delayed acknowledgement, 40 ms.
            "socket.nagle.disable": "true",
            "log.queue": "true",
        ]
        .merging(own) { _, own in own }
        .merging(properties) { _, wanted in wanted }
    }
}

extension Duration {
    var milliseconds: String { String(wholeMilliseconds) }

    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}

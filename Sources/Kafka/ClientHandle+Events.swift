import CRDKafka
import Logging

/// What librdkafka tells on a client's event queue.
enum ClientEvent: Sendable {
    case deliveries([DeliveryReport])
    case assigned([TopicPartition])
    /// Lost means that others may have the partitions already, so that nothing more can be committed for them.
    case revoked([TopicPartition], lost: Bool)
    case committed(KafkaError?)
    case error(KafkaError)
    case log(LogLine)
}

struct LogLine: Sendable, Hashable {
    /// From 0, the worst, to 7, as in syslog.
    let severity: Int32
    let facility: String
    let text: String

    /// The broker no longer had the offset that a partition was to be read from: messages may have been missed.
    var tellsOfOffsetReset: Bool { facility == "OFFSET" && severity <= 4 }

    var level: Logger.Level {
        // Brokers out of reach are told of as errors as well, once and not once for every try.
        if facility == "FAIL" { return .debug }
        return switch severity {
        case ...3: .error
        case 4: .warning
        case 5: .info
        case 6: .debug
        default: .trace
        }
    }
}

/// What became of one record.
struct DeliveryReport: Sendable {
    let token: UInt
    let error: Int32
    let partition: Int32
    let offset: Int64
}

extension ClientHandle {
    /// Reads events until there are none.
    func drainEvents(_ handle: (ClientEvent) -> Void) {
        while let event = lend({ nextEvent($0) }) ?? nil {
            if let event = event.value { handle(event) }
        }
    }

    private struct Read { let value: ClientEvent? }

    private func nextEvent(_ lent: Lent) -> Read? {
        guard let event = rd_kafka_queue_poll(lent.events, 0) else { return nil }
        // Reports' records count towards the local queue's limit until here.
        defer { rd_kafka_event_destroy(event) }
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_DR: return Read(value: .deliveries(reports(in: event)))
        case RD_KAFKA_EVENT_LOG: return Read(value: logLine(in: event).map { .log($0) })
        case RD_KAFKA_EVENT_ERROR: return Read(value: .error(error(in: event, of: lent.client)))
        case RD_KAFKA_EVENT_REBALANCE: return Read(value: rebalance(in: event, of: lent.client))
        case RD_KAFKA_EVENT_OFFSET_COMMIT: return Read(value: .committed(commitError(in: event)))
        default: return Read(value: nil)
        }
    }

    private func reports(in event: OpaquePointer) -> [DeliveryReport] {
        var reports: [DeliveryReport] = []
        reports.reserveCapacity(rd_kafka_event_message_count(event))
        while let message = rd_kafka_event_message_next(event) {
            let message = message.pointee
            reports.append(
                DeliveryReport(
                    token: UInt(bitPattern: message._private), error: message.err.rawValue,
                    partition: message.partition, offset: message.offset))
        }
        return reports
    }

    private func logLine(in event: OpaquePointer) -> LogLine? {
        var facility: UnsafePointer<CChar>?
        var text: UnsafePointer<CChar>?
        var severity: Int32 = 0
        guard rd_kafka_event_log(event, &facility, &text, &severity) == 0, let facility, let text else { return nil }
        return LogLine(severity: severity, facility: String(cString: facility), text: String(cString: text))
    }

    private func error(in event: OpaquePointer, of client: OpaquePointer) -> KafkaError {
        let code = KafkaError.Code(rd_kafka_event_error(event))
        let text = rd_kafka_event_error_string(event).map { String(cString: $0) }
        guard rd_kafka_event_error_is_fatal(event) != 0 || code == .fatal else { return KafkaError(code, text) }
        let underlying = KafkaError.Code(rd_kafka_fatal_error(client, nil, 0))
        return KafkaError(underlying.rawValue == 0 ? code : underlying, text, isFatal: true)
    }

    private func rebalance(in event: OpaquePointer, of client: OpaquePointer) -> ClientEvent {
        let partitions = rd_kafka_event_topic_partition_list(event).map { topicPartitions($0) } ?? []
        if rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS { return .assigned(partitions) }
        return .revoked(partitions, lost: rd_kafka_assignment_lost(client) != 0)
    }

    private func commitError(in event: OpaquePointer) -> KafkaError? {
        let code = rd_kafka_event_error(event)
        // "No offset" only says that there was nothing new to commit.
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR, code != RD_KAFKA_RESP_ERR__NO_OFFSET else { return nil }
        return KafkaError(KafkaError.Code(code))
    }
}

extension Logger {
    /// Passes on what librdkafka logs and complains of; what else an event says is its owner's business.
    func take(_ line: LogLine) {
        log(level: line.level, "librdkafka: \(line.text)", metadata: ["facility": "\(line.facility)"])
    }

    func take(_ error: KafkaError) {
        log(
            level: error.isFatal ? .error : .warning, "trouble with Kafka",
            metadata: ["error": "\(error)", "detail": "\(String(reflecting: error))"])
    }
}

import CRDKafka

/// What went wrong between this program and the brokers.
package struct KafkaError: Error, Sendable {
    // Behind one reference, because every record of a batch has a result that may hold one.
    private final class Storage: Sendable {
        let code: Code
        let detail: String?
        let isFatal: Bool
        let file: String
        let line: Int

        init(code: Code, detail: String?, isFatal: Bool, file: String, line: Int) {
            self.code = code
            self.detail = detail
            self.isFatal = isFatal
            self.file = file
            self.line = line
        }
    }

    private let storage: Storage

    package init(
        _ code: Code, _ detail: String? = nil, isFatal: Bool = false, file: String = #fileID, line: Int = #line
    ) {
        storage = Storage(code: code, detail: detail, isFatal: isFatal, file: file, line: line)
    }

    package var code: Code { storage.code }
    /// The client or consumer that met this is of no further use; a producer replaces itself.
    package var isFatal: Bool { storage.isFatal }
    /// Nothing is wrong with what was asked, so the same may succeed later, perhaps with another client. False where it
    /// is refused for what it is: a record too large, a bad name.
    package var isRetriable: Bool { !Code.refusals.contains(code) }
    package var file: String { storage.file }
    package var line: Int { storage.line }
}

extension KafkaError: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String { "\(code.name): \(code.explanation)" }

    package var debugDescription: String {
        let detail = storage.detail.map { " (\($0))" } ?? ""
        return "\(description)\(detail)\(isFatal ? ", fatal" : "") at \(file):\(line)"
    }
}

extension KafkaError {
    /// Kafka's protocol errors (positive), librdkafka's own (negative) and this module's (from 10,001).
    package struct Code: Sendable, Hashable {
        package let rawValue: Int32

        package init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        init(_ error: rd_kafka_resp_err_t) {
            rawValue = error.rawValue
        }

        /// The task that waited was cancelled; a record may be delivered all the same.
        package static let cancelled = Code(rawValue: 10_001)
        package static let closed = Code(rawValue: 10_002)
        package static let badConfiguration = Code(rawValue: 10_003)
        package static let notAssigned = Code(rawValue: 10_004)
        package static let unreported = Code(rawValue: 10_005)
        package static let wrongPartitions = Code(rawValue: 10_006)

        package static let queueFull = Code(RD_KAFKA_RESP_ERR__QUEUE_FULL)
        package static let largerThanQueue = Code(rawValue: 10_007)
        package static let invalidArgument = Code(RD_KAFKA_RESP_ERR__INVALID_ARG)
        package static let timedOut = Code(RD_KAFKA_RESP_ERR__TIMED_OUT)
        package static let recordTimedOut = Code(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
        package static let connectionLost = Code(RD_KAFKA_RESP_ERR__TRANSPORT)
        package static let allBrokersDown = Code(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        package static let purged = Code(RD_KAFKA_RESP_ERR__PURGE_QUEUE)
        package static let purgedInFlight = Code(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        package static let fatal = Code(RD_KAFKA_RESP_ERR__FATAL)
        package static let unknownPartition = Code(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
        package static let unknownTopicLocally = Code(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        package static let unsupportedFeature = Code(RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
        package static let processingTimeoutExceeded = Code(RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED)
        package static let unknownTopicOrPartition = Code(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        package static let notLeader = Code(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION)
        package static let messageTooLarge = Code(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        package static let notEnoughReplicas = Code(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS)
        package static let outOfOrderSequence = Code(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER)
        /// The broker no longer has, or never had, the offset that was to be read.
        package static let offsetGone = Code(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        package static let topicAlreadyExists = Code(RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        package static let topicNotAuthorized = Code(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)

        /// Everything else, missing rights and missing topics among it, can be put right from outside while the record
        /// stays as it is.
        static let refusals: Set<Code> = Set(
            [
                RD_KAFKA_RESP_ERR__INVALID_ARG, RD_KAFKA_RESP_ERR__BAD_MSG, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
                RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, RD_KAFKA_RESP_ERR_INVALID_MSG,
                RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
                RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_RECORD,
                RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
                RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,
                RD_KAFKA_RESP_ERR_INVALID_CONFIG, RD_KAFKA_RESP_ERR_INVALID_REQUEST,
                RD_KAFKA_RESP_ERR_POLICY_VIOLATION, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS,
            ].map { Code($0) } + [badConfiguration, notAssigned, wrongPartitions, largerThanQueue])

        /// The name in Kafka's or librdkafka's own list, or in this module's.
        package var name: String {
            switch self {
            case .cancelled: "cancelled"
            case .closed: "closed"
            case .badConfiguration: "badConfiguration"
            case .notAssigned: "notAssigned"
            case .unreported: "unreported"
            case .wrongPartitions: "wrongPartitions"
            case .largerThanQueue: "largerThanQueue"
            default: String(cString: rd_kafka_err2name(rd_kafka_resp_err_t(rawValue)))
            }
        }

        var explanation: String {
            switch self {
            case .cancelled: "the task that waited was cancelled; a record that was sent may still arrive"
            case .closed: "the Kafka client is closed; start no work on it during shutdown"
            case .badConfiguration: "librdkafka does not take the configuration; correct the property it names"
            case .notAssigned: "the partition belongs to another consumer of the group now"
            case .unreported: "the client was closed before the broker answered"
            case .wrongPartitions: "the topic has fewer partitions than asked for; raise them with Kafka's own tools"
            case .largerThanQueue: "the record alone is larger than the local queue; raise queuedKilobytes"
            default: String(cString: rd_kafka_err2str(rd_kafka_resp_err_t(rawValue)))
            }
        }
    }
}

import Testing

@testable import Kafka

@Suite("Kafka's errors")
struct KafkaErrorTests {
    @Test("the description leaves out the detail, which may hold data; the debug description has it")
    func descriptions() {
        let error = KafkaError(.messageTooLarge, "key 4711")
        #expect(error.description == "MSG_SIZE_TOO_LARGE: Broker: Message size too large")
        #expect(error.debugDescription.contains("key 4711"))
        #expect(error.debugDescription.contains("KafkaErrorTests.swift:"))
    }

    @Test(
        "trouble that passes, or that others can end, is retriable",
        arguments: [
            KafkaError.Code.connectionLost, .recordTimedOut, .purged, .fatal, .closed, .cancelled, .unreported,
            .unknownTopicOrPartition, .unknownTopicLocally, .topicNotAuthorized, .notEnoughReplicas, .queueFull,
        ])
    func retriable(code: KafkaError.Code) {
        #expect(KafkaError(code).isRetriable)
    }

    @Test(
        "what is refused for what it is, is not",
        arguments: [
            KafkaError.Code.messageTooLarge, .invalidArgument, .unknownPartition, .largerThanQueue, .badConfiguration,
        ])
    func refused(code: KafkaError.Code) {
        #expect(!KafkaError(code).isRetriable)
    }

    @Test("librdkafka's words for an offset out of range are told from its other lines")
    func offsetReset() {
        #expect(LogLine(severity: 4, facility: "OFFSET", text: "").tellsOfOffsetReset)
        #expect(!LogLine(severity: 7, facility: "OFFSET", text: "").tellsOfOffsetReset)
        #expect(!LogLine(severity: 4, facility: "FAIL", text: "").tellsOfOffsetReset)
    }

    @Test("a property that librdkafka does not know is named")
    func badProperty() {
        var settings = KafkaSettings(bootstrapServers: "127.0.0.1:1")
        settings.properties = ["no.such.property": "1"]
        let error = #expect(throws: KafkaError.self) { try KafkaProducer(settings, logger: LogRecorder().logger) }
        #expect(error?.code == .badConfiguration)
        #expect(error?.debugDescription.contains("no.such.property") == true)
    }
}

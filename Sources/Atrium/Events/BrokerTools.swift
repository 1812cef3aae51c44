import Kafka
import Logging

/// What a command needs that reads from the broker alone.
struct BrokerTools: Sendable {
    let configuration: ServerConfiguration
    let reader: KafkaReader
    let logger: Logger

    static func with<Result: Sendable>(
        _ config: String?, _ body: (BrokerTools) async throws -> Result
    ) async throws -> Result {
        let configuration = try ServerConfiguration(try await ServerConfiguration.reader(file: config))
        let telemetry = ProcessTelemetry.bootstrap(LogConfiguration(level: .warning, format: .text))
        defer { telemetry.flush() }
        let reader = try KafkaReader(configuration.kafkaSettings, logger: telemetry.logger)
        do {
            let result = try await body(
                BrokerTools(configuration: configuration, reader: reader, logger: telemetry.logger))
            await reader.close()
            return result
        } catch {
            await reader.close()
            throw error
        }
    }
}

extension ServerConfiguration {
    /// Where the brokers are, and how they let one in.
    var kafkaSettings: KafkaSettings {
        var settings = KafkaSettings(bootstrapServers: kafka)
        settings.properties = kafkaProperties
        return settings
    }
}

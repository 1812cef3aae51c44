import ArgumentParser
import Foundation
import Kafka
import Kernel
import Logging
import Messaging
import Postgres
import ServiceLifecycle
import Tenancy

/// What a command needs that works on events without serving.
struct EventTools: Sendable {
    let configuration: ServerConfiguration
    let data: DataServices
    let producer: KafkaProducer
    let modules: Modules
    let logger: Logger

    static func with(_ config: String?, _ body: @Sendable (EventTools) async throws -> Void) async throws {
        let configuration = try ServerConfiguration(try await ServerConfiguration.reader(file: config))
        let telemetry = ProcessTelemetry.bootstrap(LogConfiguration(level: .warning, format: .text))
        defer { telemetry.flush() }
        let data = try DataServices(configuration, poolMaximum: 2, logger: telemetry.logger)
        var kafka = KafkaSettings(bootstrapServers: configuration.kafka)
        kafka.properties = configuration.kafkaProperties
        let producer = try KafkaProducer(kafka, logger: telemetry.logger)
        let modules = try Modules(configuration, data, logger: telemetry.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await data.fleet.run() }
            group.addTask { try await producer.run() }
            defer { group.cancelAll() }
            try await body(
                EventTools(
                    configuration: configuration, data: data, producer: producer, modules: modules,
                    logger: telemetry.logger))
        }
    }

    var desk: EventDesk { EventDesk(modules: modules, data: data, producer: producer, logger: logger) }

    /// The tenant by its identifier or its slug.
    func tenant(_ text: String?) async throws -> TenantID? {
        guard let text else { return nil }
        if let id = TenantID(text) { return id }
        let rows = try await data.plane.control(reason: .once("find a tenant by its slug"), logger: logger) {
            try await $0.rows("SELECT tenant_id FROM control.tenants WHERE slug = \(text)")
        }
        guard let row = rows.first else {
            throw ValidationError("there is no tenant “\(text)”; see `atrium tenants list`")
        }
        return try row.decode(TenantID.self)
    }
}

extension ContextName: ExpressibleByArgument {}

import Kernel
import Logging
import Postgres
import Tenancy

/// What a command needs that looks at tenants and their places without serving.
struct TenantsTools: Sendable {
    let configuration: ServerConfiguration
    let data: DataServices
    let logger: Logger

    static func with(_ config: String?, _ body: @Sendable (TenantsTools) async throws -> Void) async throws {
        let configuration = try ServerConfiguration(try await ServerConfiguration.reader(file: config))
        let telemetry = ProcessTelemetry.bootstrap(LogConfiguration(level: .warning, format: .text))
        defer { telemetry.flush() }
        let data = try DataServices(configuration, poolMaximum: 8, logger: telemetry.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await data.fleet.run() }
            defer { group.cancelAll() }
            try await body(TenantsTools(configuration: configuration, data: data, logger: telemetry.logger))
        }
    }

    var audit: PlacementAudit {
        PlacementAudit(
            plane: data.plane, files: data.files,
            contexts: ContextName.allCases.map { $0.module.context },
            logger: logger)
    }

    var abandonment: TenantAbandonment {
        TenantAbandonment(
            plane: data.plane, builder: data.builder, files: data.files,
            signer: ContextSigner(data.contextKey, throughPooler: configuration.throughPooler), logger: logger)
    }

    func records(_ sql: SQL) async throws -> Rows {
        try await data.plane.control(reason: .once("show tenants to the operator"), logger: logger) {
            try await $0.rows(sql)
        }
    }

    /// Prints columns as `cut` takes them. What others wrote must not move the terminal's cursor or break a column.
    static func printRow(_ columns: [String?]) {
        print(columns.map { EventLine.harmless($0 ?? "-") }.joined(separator: "\t"))
    }
}

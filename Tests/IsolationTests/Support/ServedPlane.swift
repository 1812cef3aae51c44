import Foundation
import Kernel
import Logging
import Postgres
import Telemetry
import Tenancy
import TestSupport
import Web

@testable import Atrium

/// The program's routes over a data plane of its own, with a pair of canaries to ask them as.
struct ServedPlane: Sendable {
    let plane: TestDataPlane
    let data: DataServices
    let url: String
    let pair: CanaryPair

    static func with(maximum: Int = 4, _ body: @Sendable (ServedPlane) async throws -> Void) async throws {
        try await TestDataPlane.with { plane in
            // A copy still has the name of the database that it was copied from.
            try await plane.asSuperuser(
                "UPDATE control.databases SET database_name = current_database() WHERE name = 'home'")
            let configuration = ServerConfiguration(
                servers: [try plane.database.server()], kafka: "", operatorKey: String(repeating: "k", count: 24),
                secret: TestDataPlane.secret, schemas: Places.packageRoot.appending(path: "schemas"))
            let data = try DataServices(configuration, poolMaximum: maximum, logger: .silent)
            let modules = try Modules(configuration, data, logger: .silent)
            let web = try WebServer(
                WebConfiguration(
                    host: "127.0.0.1", port: 0, operatorKey: configuration.operatorKey, secret: configuration.secret),
                endpoints: modules.loaded.flatMap(\.endpoints), authenticator: modules.authenticator, health: [],
                metrics: PrometheusRegistry(), logger: .silent)
            let tenants = CanaryTenants(
                dataPlane: data.plane, directory: data.directory, builder: data.builder, logger: .silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await data.fleet.run() }
                group.addTask { try await web.run() }
                defer { group.cancelAll() }
                guard let pair = try await tenants.ensure().first else { throw BlindCanary("there is no pair") }
                for tenant in [pair.a, pair.b] {
                    try await CanaryOrder.lay(tenant, secret: TestDataPlane.secret, in: data.plane, logger: .silent)
                }
                try await body(
                    ServedPlane(
                        plane: plane, data: data, url: "http://127.0.0.1:\(try await web.port)", pair: pair))
            }
        }
    }

    func client(_ tenant: TenantID) -> HTTP {
        HTTP(url).authorized(CanaryKey(of: tenant, secret: TestDataPlane.secret).text)
    }
}

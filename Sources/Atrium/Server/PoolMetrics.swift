import Postgres
import ServiceLifecycle
import Telemetry
import Tenancy

/// Shows on `/metrics` what the pools of all databases have and do, read when somebody looks.
struct PoolMetrics: Service {
    init(fleet: DatabaseFleet, registry: PrometheusRegistry) {
        func gauge(_ name: String, _ help: String, _ value: @escaping @Sendable (PoolStatistics) -> Int) {
            registry.gauge("atrium_pool_\(name)", labels: [("pool", "primary")], help) {
                Double(fleet.opened.reduce(0) { $0 + value($1.primary.statistics) })
            }
        }
        gauge("open_connections", "Connections to primaries that are open.") { $0.open }
        gauge("idle_connections", "Open connections that nobody uses.") { $0.idle }
        gauge("waiting", "Callers that wait for a connection.") { $0.waiting }
        gauge("acquisitions", "Connections handed out since the start.") { Int($0.acquisitions) }
        gauge("timeouts", "Callers that waited in vain since the start.") { Int($0.timeouts) }
    }

    func run() async throws {
        try await gracefulShutdown()
    }
}

import Kernel
import Logging
import Postgres
import Synchronization
import Telemetry
import Tenancy
import TestSupport

@testable import Atrium

/// A running data plane with registered tenants, the canaries that watch over it, and what they say.
struct WatchedPlane: Sendable {
    let plane: TestDataPlane
    let dataPlane: DataPlane
    let tenants: CanaryTenants
    let watch: CanaryWatch
    let metrics: PrometheusRegistry
    let lines: LogLines

    static func with(
        _ further: [any CanaryDoor] = [], _ body: @Sendable (WatchedPlane) async throws -> Void
    ) async throws {
        try await TestDataPlane.with { plane in
            // A copy still has the name of the database that it was copied from.
            try await plane.asSuperuser(
                "UPDATE control.databases SET database_name = current_database() WHERE name = 'home'")
            let (dataPlane, directory, builder) = try plane.registered()
            let lines = LogLines()
            let logger = lines.logger
            let tenants = CanaryTenants(
                dataPlane: dataPlane, directory: directory, builder: builder, logger: logger)
            let metrics = PrometheusRegistry()
            let roles = ["identity", "orders", "billing", "metering"] as [StaticString]
            let watch = CanaryWatch(
                tenants: tenants, dataPlane: dataPlane,
                doors: [
                    SQLCanaryDoor(
                        dataPlane: dataPlane, roles: roles.map { .app($0) }, bait: CanaryOrder.bait, logger: logger),
                    EventCanaryDoor(dataPlane: dataPlane, logger: logger),
                ] + further,
                secret: TestDataPlane.secret, interval: .seconds(3600), metrics: metrics, logger: logger)
            try await body(
                WatchedPlane(
                    plane: plane, dataPlane: dataPlane, tenants: tenants, watch: watch, metrics: metrics, lines: lines))
        }
    }

    /// The counter's value for a door.
    func counter(_ name: String, _ door: String) -> Int {
        let text = String(decoding: metrics.exposition(), as: UTF8.self)
        let prefix = "atrium_canary_\(name)_total{door=\"\(door)\"} "
        return text.split(separator: "\n").first { $0.hasPrefix(prefix) }
            .flatMap { Double($0.dropFirst(prefix.count)) }.map { Int($0) } ?? -1
    }

    /// A tenant of the bridge, as the control plane knows it.
    func registerBridgeTenant() async throws {
        let id: TenantID = IdentifierSource.system.next()
        try await plane.asSuperuser(
            """
            WITH t AS (INSERT INTO control.tenants (tenant_id, slug, slug_likeness, name, sku, region, state, registered_at, \
            updated_at, version) VALUES (\(id), 'initech', 'initech', 'Initech', 'scale', 'eu-west', 'active', now(), now(), 1))
            SELECT 1
            """)
        try await plane.asSuperuser(
            """
            INSERT INTO control.placements (tenant_id, tier, server, database, is_override, decided_at)
            VALUES (\(id), 'bridge', 'home', 'home', false, now())
            """)
    }
}

/// Keeps what is logged.
final class LogLines: Sendable {
    struct Line: Sendable {
        let level: Logger.Level
        let message: String
        let metadata: Logger.Metadata
    }

    private let kept = Mutex<[Line]>([])

    var all: [Line] { kept.withLock { $0 } }
    var alarms: [Line] { all.filter { $0.metadata["alarm"] == "tenant-crossing" } }

    var logger: Logger {
        Logger(label: "canaries") { _ in Handler(lines: self) }
    }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = Line(
                level: event.level, message: "\(event.message)",
                metadata: metadata.merging(event.metadata ?? [:]) { _, own in own })
            lines.kept.withLock { $0.append(line) }
        }
    }
}

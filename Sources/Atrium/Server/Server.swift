import CoreMetrics
import IdentityAdapters
import Kafka
import Kernel
import Logging
import Messaging
import Postgres
import ServiceLifecycle
import Telemetry
import Tenancy
import UnixSignals
import Web

/// The program put together: the only place that knows every part.
struct Server {
    let configuration: ServerConfiguration
    let metrics: PrometheusRegistry
    let logger: Logger

    /// Serves until it is told to stop.
    ///
    /// - Parameter onReady: called with the port once the server listens.
    func run(onReady: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
        let data = try DataServices(configuration, logger: logger)
        let dataPlane = data.plane
        let control = try data.fleet.database(data.fleet.control).primary
        let modules = try Modules(configuration, data, logger: logger)
        var kafka = KafkaSettings(bootstrapServers: configuration.kafka)
        kafka.clientID = "atrium"
        kafka.properties = configuration.kafkaProperties
        kafka.requestsInFlight = configuration.requestsInFlight
        kafka.fetchWait = configuration.fetchWait
        // Consumers and producer close one after another: with the broker away, all of it has to fit in ten seconds.
        kafka.closeTimeout = .milliseconds(1500)
        let producer = try KafkaProducer(kafka, logger: logger)
        let admin = try KafkaAdmin(kafka, logger: logger)

        let web = try WebServer(
            WebConfiguration(
                host: configuration.host, port: configuration.port, operatorKey: configuration.operatorKey,
                secret: configuration.secret),
            endpoints: configuration.roles.contains(.http)
                ? modules.loaded.flatMap(\.endpoints)
                    + OperationsRoutes(
                        desk: EventDesk(modules: modules, data: data, producer: producer, logger: logger)
                    ).endpoints : [],
            authenticator: modules.authenticator,
            health: [
                HealthCheck("postgres") { try await ping(control) },
                HealthCheck("kafka") { _ = try await admin.topics() },
            ], metrics: metrics, logger: logger)

        // Started in this order and stopped in the reverse: requests end first, connections close last.
        let replicas = ReplicaWatch(data.fleet, logger: logger)
        var services: [any Service] = [
            data.fleet, data.directory, replicas, PoolMetrics(fleet: data.fleet, registry: metrics),
        ]
        let preparation = Preparation(
            configuration: configuration, data: data, replicas: replicas, admin: admin, modules: modules, logger: logger
        )
        services.append(producer)
        let notices = OutboxNotices(pool: control, logger: logger)
        if configuration.roles.contains(.relay) {
            for module in modules.loaded {
                services.append(
                    RelayFleet(
                        schema: module.backbone.schema, in: data.databases(of: module.backbone.schema),
                        dataPlane: dataPlane, producer: producer, signal: module.relaySignal, notices: notices,
                        logger: logger))
            }
            let signals = modules.loaded.map { ($0.backbone.schema, $0.relaySignal) }
            services.append(OutboxListener(notices, signals: Dictionary(uniqueKeysWithValues: signals)))
            services.append(
                OutboxUpkeep(
                    schemas: Set(modules.loaded.map(\.backbone.schema)).sorted(), dataPlane: dataPlane,
                    in: { try await data.databases(of: $0)() }, retention: configuration.outboxRetention,
                    logger: logger))
            services.append(
                ReceiptExpiry(
                    schemas: modules.schemas, dataPlane: dataPlane, in: { try await data.directory.databases },
                    logger: logger))
        }
        if !configuration.roles.contains(.relay) {
            for module in modules.loaded {
                services.append(OutboxAnnouncer(notices, schema: module.backbone.schema, signal: module.relaySignal))
            }
        }
        if configuration.roles.contains(.consumers) {
            for module in modules.loaded where !module.subscriptions.isEmpty {
                let consumer = try KafkaConsumer(
                    kafka, group: "atrium.\(module.context.schema)",
                    topics: Set(module.subscriptions.map(\.topic)).sorted(), beginning: .whenTold, logger: logger)
                services.append(consumer)
                services.append(
                    ReactionConsumer(
                        context: module.context, subscriptions: module.subscriptions, consumer: consumer,
                        dataPlane: dataPlane, in: data.databases(of: module.backbone.schema), logger: logger))
                services.append(inboxUpkeep(module, data, admin))
            }
        }
        services.append(web)
        if let interval = configuration.canaryInterval, configuration.roles.contains(.relay) {
            services.append(canaries(every: interval, data, modules, web))
        }
        services.append(Announcement(web: web, onReady: onReady))

        try await preparation.run()
        var group = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        group.maximumGracefulShutdownDuration = .seconds(8)
        logger.info(
            "starting",
            metadata: [
                "contexts": "\(configuration.contexts.map(\.rawValue).sorted().joined(separator: ","))",
                "roles": "\(configuration.roles.map(\.rawValue).sorted().joined(separator: ","))",
            ])
        try await ServiceGroup(configuration: group).run()
    }

    private func inboxUpkeep(_ module: LoadedModule, _ data: DataServices, _ admin: KafkaAdmin) -> InboxUpkeep {
        let topics = Set(module.subscriptions.map(\.topic)).sorted()
        let schemas = Modules.sources(of: module)
        let sources = RedeliveryHorizon.Sources(
            oldestHeld: { [logger] in
                var oldest = WallClock.system.now()
                for schema in schemas {
                    let reach = OutboxReach(schema: schema, dataPlane: data.plane, logger: logger)
                    for database in try await data.databases(of: schema)() {
                        oldest = min(oldest, try await reach.oldest(in: database))
                    }
                }
                return oldest
            },
            brokerHasOutlived: {
                try await admin.hasOutlived(
                    $0.microsecondsSinceEpoch / 1000, group: "atrium.\(module.context.schema)", topics: topics)
            })
        return InboxUpkeep(
            context: module.context, sources: sources, dataPlane: data.plane,
            in: data.databases(of: module.backbone.schema), logger: logger)
    }

    /// In processes with the role `relay`, of which there are few: each of them watches every database.
    private func canaries(
        every interval: Duration, _ data: DataServices, _ modules: Modules, _ web: WebServer
    ) -> CanaryWatch {
        var doors: [any CanaryDoor] = [
            SQLCanaryDoor(
                dataPlane: data.plane, roles: modules.loaded.map(\.context), bait: CanaryOrder.bait, logger: logger),
            EventCanaryDoor(dataPlane: data.plane, logger: logger),
        ]
        if configuration.roles.contains(.http), configuration.contexts.contains(.orders) {
            let host = configuration.host == "0.0.0.0" ? "127.0.0.1" : configuration.host
            doors.append(
                HTTPCanaryDoor(base: { "http://\(host):\(try await web.port)" }, secret: configuration.secret))
        }
        return CanaryWatch(
            tenants: CanaryTenants(
                dataPlane: data.plane, directory: data.directory, builder: data.builder, logger: logger),
            dataPlane: data.plane, doors: doors, secret: configuration.secret, interval: interval, metrics: metrics,
            logger: logger)
    }
}

private func ping(_ pool: PostgresPool) async throws {
    _ = try await pool.withConnection {
        try await $0.flight([Statement("SELECT 1")], deadline: .now + .seconds(2))
    }
}

/// Tells that the server listens, then waits for the end like the others.
private struct Announcement: Service {
    let web: WebServer
    let onReady: @Sendable (Int) async -> Void

    func run() async throws {
        await onReady(try await web.port)
        try await gracefulShutdown()
    }
}

extension DataPlaneUnavailable: TransientFailure {
    package var retryAfter: Duration { .seconds(1) }
}

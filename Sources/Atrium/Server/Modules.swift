import BillingAdapters
import IdentityAdapters
import Kernel
import Logging
import Messaging
import MeteringAdapters
import OrdersAdapters
import Tenancy
import Web

/// What every context's one exposed type tells the program.
protocol ContextModule: Sendable {
    static var context: ContextRole { get }
    static var published: [any IntegrationEvent.Type] { get }
    /// The context whose outbox, inbox and dead letters it uses.
    static var backbone: ContextRole { get }
    var endpoints: [Endpoint] { get }
    var subscriptions: [Subscription] { get }
}

extension ContextModule {
    static var backbone: ContextRole { context }
}

extension IdentityModule: ContextModule {}
extension OrdersModule: ContextModule {}
extension BillingModule: ContextModule {}
extension MeteringModule: ContextModule {}

extension ContextName {
    /// What the context tells the program also where it is not run. Everything that goes over all contexts begins here.
    var module: any ContextModule.Type {
        switch self {
        case .identity: IdentityModule.self
        case .orders: OrdersModule.self
        case .billing: BillingModule.self
        case .metering: MeteringModule.self
        }
    }
}

/// A context as a process runs it.
struct LoadedModule: Sendable {
    let name: ContextName
    let context: ContextRole
    let backbone: ContextRole
    let endpoints: [Endpoint]
    let subscriptions: [Subscription]
    let published: [any IntegrationEvent.Type]
    let relaySignal: RelaySignal

    /// - Parameter signal: what the module's outbox wakes its relay with.
    init<Module: ContextModule>(_ name: ContextName, _ module: Module, _ signal: RelaySignal) {
        self.name = name
        relaySignal = signal
        context = Module.context
        backbone = Module.backbone
        endpoints = module.endpoints
        subscriptions = module.subscriptions
        published = Module.published.flatMap { $0.publishedVersions }
    }
}

/// The contexts of a process.
struct Modules: Sendable {
    let loaded: [LoadedModule]
    /// Identity says who a caller is, also in a process that does not run its routes.
    let authenticator: BearerAuthenticator

    init(_ configuration: ServerConfiguration, _ data: DataServices, logger: Logger) throws {
        let signal = RelaySignal()
        let dataPlane = data.plane
        let identity = try IdentityModule(
            dataPlane: dataPlane, directory: data.directory, builder: data.builder,
            outbox: Outbox(schema: IdentityModule.backbone.schema, signal: signal),
            secret: configuration.secret, issuer: configuration.publicURL, audience: "atrium", logger: logger)
        authenticator = identity.authenticator
        func load<Module: ContextModule>(_ name: ContextName, _ make: (Outbox) -> Module) -> LoadedModule {
            let signal = RelaySignal()
            return LoadedModule(name, make(Outbox(schema: Module.backbone.schema, signal: signal)), signal)
        }
        loaded = configuration.contexts.sorted { $0.rawValue < $1.rawValue }.map { context in
            switch context {
            case .identity: LoadedModule(context, identity, signal)
            case .orders: load(context) { OrdersModule(dataPlane: dataPlane, outbox: $0) }
            case .billing: load(context) { BillingModule(dataPlane: dataPlane, outbox: $0) }
            case .metering: load(context) { MeteringModule(dataPlane: dataPlane, outbox: $0) }
            }
        }
    }

    /// Who publishes what, also of the contexts that this process does not run.
    static let publishers: [(published: [any IntegrationEvent.Type], backbone: ContextRole)] =
        ContextName.allCases.map { ($0.module.published, $0.module.backbone) }

    /// The schemas with the outboxes that a module hears from.
    static func sources(of module: LoadedModule) -> [String] {
        let topics = Set(module.subscriptions.map(\.topic))
        return publishers.filter { publisher in publisher.published.contains { topics.contains($0.topic) } }
            .map(\.backbone.schema)
    }

    /// The schemas whose receipts somebody has to look after.
    var schemas: [String] { Set(loaded.flatMap { [$0.context.schema, $0.backbone.schema] }).sorted() }

    /// Every topic that a context of this process writes or reads.
    var topics: [String] {
        Set(loaded.flatMap { $0.published.map { $0.topic } + $0.subscriptions.map(\.topic) }).sorted()
    }
}

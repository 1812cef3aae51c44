import BillingAdapters
import IdentityAdapters
import Kernel
import Logging
import Messaging
import MeteringAdapters
import OrdersAdapters
import Tenancy
import Web

/// What a context brings to the program.
struct LoadedModule: Sendable {
    let context: ContextRole
    let endpoints: [Endpoint]
    let subscriptions: [Subscription]
    let published: [any IntegrationEvent.Type]
    let relaySignal: RelaySignal
}

/// The contexts of a process. Identity is always there, since it says who a caller is; its routes may not be.
struct Modules: Sendable {
    let identity: IdentityModule
    let loaded: [LoadedModule]

    /// Every topic that a context of this process writes or reads.
    var topics: [String] {
        Set(loaded.flatMap { $0.published.map { $0.topic } + $0.subscriptions.map(\.topic) }).sorted()
    }

    init(_ configuration: ServerConfiguration, dataPlane: DataPlane, logger: Logger) throws {
        let contexts = configuration.contexts
        var loaded: [LoadedModule] = []
        func outbox(_ context: ContextRole) -> (Outbox, RelaySignal) {
            let signal = RelaySignal()
            return (Outbox(schema: context.schema, signal: signal), signal)
        }
        let (identityOutbox, identitySignal) = outbox(IdentityModule.context)
        identity = try IdentityModule(
            dataPlane: dataPlane, outbox: identityOutbox, secret: configuration.secret,
            issuer: configuration.publicURL, audience: "atrium", logger: logger)
        if contexts.contains(.identity) {
            loaded.append(
                LoadedModule(
                    context: IdentityModule.context, endpoints: identity.endpoints,
                    subscriptions: identity.subscriptions, published: IdentityModule.published,
                    relaySignal: identitySignal))
        }
        if contexts.contains(.orders) {
            let (outbox, signal) = outbox(OrdersModule.context)
            let module = OrdersModule(dataPlane: dataPlane, outbox: outbox)
            loaded.append(
                LoadedModule(
                    context: OrdersModule.context, endpoints: module.endpoints, subscriptions: module.subscriptions,
                    published: OrdersModule.published, relaySignal: signal))
        }
        if contexts.contains(.billing) {
            let (outbox, signal) = outbox(BillingModule.context)
            let module = BillingModule(dataPlane: dataPlane, outbox: outbox)
            loaded.append(
                LoadedModule(
                    context: BillingModule.context, endpoints: module.endpoints, subscriptions: module.subscriptions,
                    published: BillingModule.published, relaySignal: signal))
        }
        if contexts.contains(.metering) {
            let (outbox, signal) = outbox(MeteringModule.context)
            let module = MeteringModule(dataPlane: dataPlane, outbox: outbox)
            loaded.append(
                LoadedModule(
                    context: MeteringModule.context, endpoints: module.endpoints, subscriptions: module.subscriptions,
                    published: MeteringModule.published, relaySignal: signal))
        }
        self.loaded = loaded
    }
}

import Foundation
import Kafka
import Kernel
import Logging
import Messaging
import Tenancy

/// Where an operator looks after the events that the contexts of this process could not take in or send.
struct EventDesk: Sendable {
    /// One letter and the context whose it is.
    struct Letter: Sendable {
        let context: ContextName
        let letter: DeadLetter
    }

    struct Parked: Sendable {
        let context: ContextName
        let key: ParkedKey
    }

    enum Failure: Error, CustomStringConvertible {
        case notRun(ContextName)
        case unknown(UUID)

        var description: String {
            switch self {
            case .notRun(let context): "this process does not run \(context.rawValue); ask one that does"
            case .unknown(let id): "there is no dead letter \(id.canonical) in the contexts that this process runs"
            }
        }
    }

    private let modules: [LoadedModule]
    private let data: DataServices
    private let producer: KafkaProducer?
    private let logger: Logger

    init(modules: Modules, data: DataServices, producer: KafkaProducer?, logger: Logger) {
        self.modules = modules.loaded
        self.data = data
        self.producer = producer
        self.logger = logger
    }

    var contexts: [ContextName] { modules.map(\.name) }

    /// In the order in which they came to lie there, of every context unless told.
    func list(_ filter: DeadLetters.Filter, of context: ContextName?) async throws -> [Letter] {
        var letters: [Letter] = []
        for module in try chosen(context) {
            letters += try await replay(of: module).deadLetters.list(filter)
                .map { Letter(context: module.name, letter: $0) }
        }
        return Array(letters.sorted { EventID($0.letter.id) < EventID($1.letter.id) }.prefix(filter.limit))
    }

    func show(_ id: UUID) async throws -> Letter {
        for module in modules {
            if let letter = try await replay(of: module).deadLetters.show(id) {
                return Letter(context: module.name, letter: letter)
            }
        }
        throw Failure.unknown(id)
    }

    /// Keys whose events wait, longest first.
    func parked(tenant: TenantID?, of context: ContextName?, limit: Int) async throws -> [Parked] {
        var keys: [Parked] = []
        for module in try chosen(context) {
            keys += try await replay(of: module).deadLetters.parked(tenant: tenant, limit: limit)
                .map { Parked(context: module.name, key: $0) }
        }
        return Array(keys.sorted { $0.key.since < $1.key.since }.prefix(limit))
    }

    func replay(of context: ContextName) throws -> DeadLetterReplay {
        replay(of: try chosen(context)[0])
    }

    private func chosen(_ context: ContextName?) throws -> [LoadedModule] {
        guard let context else { return modules }
        guard let module = modules.first(where: { $0.name == context }) else { throw Failure.notRun(context) }
        return [module]
    }

    private func replay(of module: LoadedModule) -> DeadLetterReplay {
        DeadLetterReplay(
            context: module.backbone, subscriptions: module.subscriptions, dataPlane: data.plane,
            in: data.databases(of: module.backbone.schema), producer: producer, logger: logger)
    }
}

import DevStack
import HTTPTypes
import Hummingbird
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport

/// A schema registry that speaks as much of Confluent's interface as a registration needs, after its documentation.
final class TestRegistry: Sendable {
    struct Schema: Codable, Sendable, Hashable {
        var schemaType: String?
        var schema: String
    }

    private struct State {
        var subjects: [String: [Schema]] = [:]
        var refusal: String?
        var authorizations: Set<String> = []
    }

    private struct Identified: Codable, Sendable, ResponseEncodable {
        var subject: String?
        var version: Int?
        var id: Int
        var schema: String?
    }

    private struct Judged: Codable, Sendable, ResponseEncodable {
        var isCompatible: Bool
        var messages: [String]?

        enum CodingKeys: String, CodingKey {
            case isCompatible = "is_compatible"
            case messages
        }
    }

    private struct Fault: Codable, Sendable, ResponseEncodable {
        var code: Int
        var message: String

        enum CodingKeys: String, CodingKey {
            case code = "error_code"
            case message
        }
    }

    private let state = Mutex(State())
    let url: String
    private let port: Int

    private init(port: Int) {
        self.port = port
        url = "http://127.0.0.1:\(port)"
    }

    static func with(_ body: @Sendable (TestRegistry) async throws -> Void) async throws {
        let registry = TestRegistry(port: try FreePort.find())
        let (running, continuation) = AsyncStream.makeStream(of: Void.self)
        let application = Application(
            router: registry.router,
            configuration: .init(address: .hostname("127.0.0.1", port: registry.port)),
            onServerRunning: { _ in continuation.yield() }, logger: .silent)
        let group = ServiceGroup(configuration: .init(services: [application], logger: .silent))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                for await _ in running { break }
                try await body(registry)
            } catch {
                tasks.cancelAll()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    var subjects: [String: [Schema]] { state.withLock { $0.subjects } }
    var authorizations: Set<String> { state.withLock { $0.authorizations } }

    /// Every schema that is new to a subject is refused with this message from now on.
    func refuse(with message: String?) { state.withLock { $0.refusal = message } }

    func forgetEverything(about subject: String) { state.withLock { $0.subjects[subject] = nil } }

    private var router: Router<BasicRequestContext> {
        let router = Router()
        router.post("subjects/{subject}") { [self] request, context in
            let (subject, sent) = try await read(request, context)
            return try answer(request, context) { state in
                guard let known = state.subjects[subject] else { return (.notFound, missing("Subject", 40401)) }
                guard let index = known.firstIndex(of: sent) else { return (.notFound, missing("Schema", 40403)) }
                return (.ok, Identified(subject: subject, version: index + 1, id: index + 100, schema: sent.schema))
            }
        }
        router.post("subjects/{subject}/versions") { [self] request, context in
            let (subject, sent) = try await read(request, context)
            return try answer(request, context) { state in
                let known = state.subjects[subject] ?? []
                if let index = known.firstIndex(of: sent) { return (.ok, Identified(id: index + 100)) }
                if let refusal = state.refusal { return (.conflict, Fault(code: 409, message: refusal)) }
                state.subjects[subject] = known + [sent]
                return (.ok, Identified(id: known.count + 100))
            }
        }
        router.post("compatibility/subjects/{subject}/versions/latest") { [self] request, context in
            let (subject, _) = try await read(request, context)
            return try answer(request, context) { state in
                guard state.subjects[subject] != nil else { return (.notFound, missing("Subject", 40401)) }
                return (.ok, Judged(isCompatible: state.refusal == nil, messages: state.refusal.map { [$0] }))
            }
        }
        return router
    }

    private func missing(_ what: String, _ code: Int) -> Fault {
        Fault(code: code, message: "\(what) not found.")
    }

    private func read(_ request: Request, _ context: BasicRequestContext) async throws -> (String, Schema) {
        let authorization = request.headers[.authorization] ?? "none"
        state.withLock { _ = $0.authorizations.insert(authorization) }
        guard let subject = context.parameters.get("subject"),
            request.headers[.contentType]?.hasPrefix("application/vnd.schemaregistry.v1+json") == true
        else { throw HTTPError(.unsupportedMediaType) }
        return (subject, try await request.decode(as: Schema.self, context: context))
    }

    private func answer(
        _ request: Request, _ context: BasicRequestContext,
        _ body: (inout State) -> (HTTPResponse.Status, any ResponseEncodable & Sendable)
    ) throws -> Response {
        let (status, content) = state.withLock { state in body(&state) }
        var response = try content.response(from: request, context: context)
        response.status = status
        return response
    }
}

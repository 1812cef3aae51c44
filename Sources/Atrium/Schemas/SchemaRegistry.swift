import Foundation
import FoundationNetworking
import Kernel

/// A schema registry that speaks Confluent's HTTP interface.
struct SchemaRegistry: Sendable {
    private let base: String
    private let authorization: String?
    private let session: URLSession

    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameter base: `http://host:8081`, without credentials: those come from the environment.
    init(_ base: String, user: String?, password: String?) throws {
        guard let url = URLComponents(string: base), ["http", "https"].contains(url.scheme ?? ""), url.host != nil,
            url.query == nil, url.fragment == nil
        else { throw Refusal(description: "--registry is no URL such as http://127.0.0.1:8081") }
        guard url.user == nil, url.password == nil else {
            throw Refusal(
                description:
                    "--registry holds credentials; set ATRIUM_REGISTRY_USER and ATRIUM_REGISTRY_PASSWORD instead")
        }
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        authorization = user.map { "Basic " + Data("\($0):\(password ?? "")".utf8).base64EncodedString() }
        let configuration = URLSessionConfiguration.ephemeral
        configuration.timeoutIntervalForRequest = 30
        session = URLSession(configuration: configuration)
    }

    struct Registered: Hashable, Sendable {
        let id: Int64
        let version: Int64
    }

    /// Nil where the subject doesn't have this very schema.
    func find(_ schema: String, in subject: String) async throws -> Registered? {
        let answer = try await send("POST", "/subjects/\(escaped(subject))", Self.body(schema))
        // 40401 is an unknown subject, 40403 an unknown schema.
        if answer.status == 404, [40401, 40403].contains(answer.code) { return nil }
        guard answer.status == 200, let id = answer.json["id"]?.int64, let version = answer.json["version"]?.int64
        else {
            throw answer.refusal("look \(subject) up")
        }
        return Registered(id: id, version: version)
    }

    /// Why the registry would not take the schema; empty where it would.
    func objections(to schema: String, in subject: String) async throws -> [String] {
        let path = "/compatibility/subjects/\(escaped(subject))/versions/latest?verbose=true"
        let answer = try await send("POST", path, Self.body(schema))
        // A subject that isn't there yet takes anything.
        if answer.status == 404, [40401, 40402].contains(answer.code) { return [] }
        guard answer.status == 200, case .bool(let isCompatible)? = answer.json["is_compatible"] else {
            throw answer.refusal("ask whether \(subject) takes the schema")
        }
        if isCompatible { return [] }
        let messages = answer.json["messages"]?.elements?.compactMap(\.string) ?? []
        return messages.isEmpty ? ["the registry calls it incompatible and doesn't say why"] : messages
    }

    /// Registers the schema, which changes nothing where the subject has it, and answers its identifier.
    func register(_ schema: String, in subject: String) async throws -> Int64 {
        let answer = try await send("POST", "/subjects/\(escaped(subject))/versions", Self.body(schema))
        guard answer.status == 200, let id = answer.json["id"]?.int64 else {
            throw answer.refusal("register \(subject)")
        }
        return id
    }

    // MARK: HTTP

    private struct Answer {
        let status: Int
        let text: String

        var json: JSON { (try? JSON.parse(text)) ?? .null }
        var code: Int64? { json["error_code"]?.int64 }

        func refusal(_ what: String) -> Refusal {
            Refusal(description: "the registry answered \(status) when asked to \(what): \(text.prefix(2000))")
        }
    }

    private static func body(_ schema: String) -> JSON { ["schemaType": "JSON", "schema": .string(schema)] }

    private func escaped(_ subject: String) -> String {
        subject.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(["-", ".", "_"])) ?? subject
    }

    private func send(_ method: String, _ path: String, _ body: JSON) async throws -> Answer {
        guard let url = URL(string: base + path) else { throw Refusal(description: "\(base) is no URL") }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.httpBody = Data(body.description.utf8)
        request.setValue("application/vnd.schemaregistry.v1+json", forHTTPHeaderField: "Content-Type")
        request.setValue("application/vnd.schemaregistry.v1+json, application/json", forHTTPHeaderField: "Accept")
        if let authorization { request.setValue(authorization, forHTTPHeaderField: "Authorization") }
        do {
            let (data, response) = try await session.answer(to: request)
            guard let response = response as? HTTPURLResponse else {
                throw Refusal(description: "\(base) did not answer in HTTP")
            }
            return Answer(status: response.statusCode, text: String(decoding: data, as: UTF8.self))
        } catch let error as URLError {
            throw Refusal(description: "\(base) can't be reached: \(error.localizedDescription)")
        }
    }
}

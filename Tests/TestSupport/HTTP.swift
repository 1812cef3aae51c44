package import Foundation
import FoundationNetworking

/// An HTTP client for tests: what was answered comes back as it is, whatever the status.
package struct HTTP: Sendable {
    package let base: String
    /// Sent with every request.
    package var headers: [String: String]
    private let session: URLSession

    package init(_ base: String, headers: [String: String] = [:]) {
        self.base = base
        self.headers = headers
        let configuration = URLSessionConfiguration.ephemeral
        configuration.timeoutIntervalForRequest = 30
        configuration.httpMaximumConnectionsPerHost = 64
        configuration.httpShouldSetCookies = false
        configuration.urlCache = nil
        session = URLSession(configuration: configuration)
    }

    /// The same client with further headers.
    package func with(_ more: [String: String]) -> HTTP {
        var copy = self
        copy.headers.merge(more) { _, new in new }
        return copy
    }

    package func authorized(_ token: String) -> HTTP { with(["Authorization": "Bearer \(token)"]) }

    /// The token that requests are authorized with.
    package var bearer: String? {
        headers["Authorization"].flatMap { $0.hasPrefix("Bearer ") ? String($0.dropFirst(7)) : nil }
    }

    package func get(_ path: String, headers: [String: String] = [:]) async throws -> HTTPReply {
        try await send("GET", path, headers: headers)
    }

    package func post(
        _ path: String, json: JSONValue? = nil, headers: [String: String] = [:]
    ) async throws -> HTTPReply {
        try await send("POST", path, json: json, headers: headers)
    }

    package func put(_ path: String, json: JSONValue, headers: [String: String] = [:]) async throws -> HTTPReply {
        try await send("PUT", path, json: json, headers: headers)
    }

    package func delete(_ path: String, headers: [String: String] = [:]) async throws -> HTTPReply {
        try await send("DELETE", path, headers: headers)
    }

    package func send(
        _ method: String, _ path: String, json: JSONValue?, headers: [String: String] = [:]
    ) async throws -> HTTPReply {
        guard let json else { return try await send(method, path, headers: headers) }
        let typed = ["Content-Type": "application/json"].merging(headers) { _, own in own }
        return try await send(method, path, body: json.data, headers: typed)
    }

    /// Sends any bytes, broken ones too.
    package func send(
        _ method: String, _ path: String, body: Data? = nil, headers: [String: String] = [:]
    ) async throws -> HTTPReply {
        guard let url = URL(string: base + path) else { throw URLError(.badURL) }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.httpBody = body
        for (name, value) in self.headers.merging(headers, uniquingKeysWith: { _, own in own }) {
            request.setValue(value, forHTTPHeaderField: name)
        }
        let (data, response) = try await answer(to: request)
        guard let response = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
        var fields: [String: String] = [:]
        for (name, value) in response.allHeaderFields { fields["\(name)".lowercased()] = "\(value)" }
        return HTTPReply(status: response.statusCode, headers: HTTPReply.Headers(fields), body: data)
    }

    /// Goes on when its task is cancelled, until it is answered or its time is over: `data(for:)` cancels while it holds a
    /// lock of the task's that a completion at the same moment waits for, and both stand still for good.
    private func answer(to request: URLRequest) async throws -> (Data, URLResponse) {
        try await withCheckedThrowingContinuation { continuation in
            session.dataTask(with: request) { data, response, error in
                if let data, let response {
                    continuation.resume(returning: (data, response))
                } else {
                    continuation.resume(throwing: error ?? URLError(.unknown))
                }
            }.resume()
        }
    }
}

/// What a server answered.
package struct HTTPReply: Sendable {
    /// Header fields by name, in any case.
    package struct Headers: Sendable {
        private let fields: [String: String]

        init(_ fields: [String: String]) { self.fields = fields }

        package subscript(name: String) -> String? { fields[name.lowercased()] }
    }

    package let status: Int
    package let headers: Headers
    package let body: Data

    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as JSON; throws when it is none.
    package func json() throws -> JSONValue { try JSONValue(parsing: body) }

    /// A member of the body, when that is a JSON object which has it.
    package subscript(name: String) -> JSONValue? { (try? json())?[name] }
}

extension HTTPReply: CustomStringConvertible {
    package var description: String { "\(status) \(text)" }
}

import Foundation
import FoundationNetworking
import Kernel
import Tenancy

/// Asks over HTTP, with A's key, for B's order: it must be answered as an order that nobody has.
struct HTTPCanaryDoor: CanaryDoor {
    let name = "http"
    private let base: @Sendable () async throws -> String
    private let secret: [UInt8]
    private let session: URLSession

    /// - Parameter base: where this process listens, known once it does.
    init(base: @escaping @Sendable () async throws -> String, secret: [UInt8]) {
        self.base = base
        self.secret = secret
        let configuration = URLSessionConfiguration.ephemeral
        configuration.timeoutIntervalForRequest = 10
        configuration.urlCache = nil
        session = URLSession(configuration: configuration)
    }

    func attempt(_ pair: CanaryPair) async throws -> CanaryOutcome {
        let base = try await base()
        let own = try await answer("GET", "/api/v1/orders/\(pair.b)", as: pair.b, base)
        guard own.status == 200 else { throw BlindCanary("B's own order is answered with \(own.status)") }
        var outcome = CanaryOutcome()
        for (method, path, body) in [
            ("GET", "", nil), ("GET", "/history", nil), ("POST", "/place", nil),
            ("POST", "/cancel", #"{"reason":"canary"}"#),
            ("PUT", "/lines", #"{"lines":[{"sku":"CANARY","quantity":1,"unitPriceMinor":1}]}"#),
        ] as [(String, String, String?)] {
            let unknown: TenantID = IdentifierSource.system.next()
            let foreign = try await answer(method, "/api/v1/orders/\(pair.b)\(path)", as: pair.a, base, body)
            let expected = try await answer(method, "/api/v1/orders/\(unknown)\(path)", as: pair.a, base, body)
            guard (400..<500).contains(expected.status), expected.status != 401, expected.status != 429 else {
                throw BlindCanary("an unknown order is answered with \(expected.status)")
            }
            outcome.record("\(method) of B's order\(path)", led: foreign != expected)
        }
        let list = try await answer("GET", "/api/v1/orders?customer=\(pair.b)", as: pair.a, base, masked: false)
        outcome.record("a list of orders", led: list.body.contains(pair.b.description))
        return outcome
    }

    private struct Answer: Hashable {
        let status: Int
        let body: String
    }

    /// - Parameter masked: whether identifiers are taken out, which differ from one request to the next.
    private func answer(
        _ method: String, _ path: String, as tenant: TenantID, _ base: String, _ body: String? = nil,
        masked: Bool = true
    ) async throws -> Answer {
        guard let url = URL(string: base + path) else { throw URLError(.badURL) }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.setValue("Bearer \(CanaryKey(of: tenant, secret: secret).text)", forHTTPHeaderField: "Authorization")
        if method != "GET" { request.setValue("\"1\"", forHTTPHeaderField: "If-Match") }
        if let body {
            request.httpBody = Data(body.utf8)
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        }
        let (data, response) = try await session.answer(to: request)
        let text = String(decoding: data, as: UTF8.self)
        return Answer(
            status: (response as? HTTPURLResponse)?.statusCode ?? 0,
            body: masked ? text.replacing(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}/, with: "…") : text)
    }
}

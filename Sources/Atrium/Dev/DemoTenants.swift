import DevStack
import Foundation
import FoundationNetworking

/// The two tenants that a newcomer tries things with, made over HTTP like any other.
struct DemoTenants: Sendable {
    let url: String
    let operatorKey: String
    let directory: DevDirectory
    let password: String

    struct Tenant: Codable, Sendable {
        let slug: String
        let key: String
    }

    private static let wanted = [
        (slug: "acme", name: "Acme Instruments", sku: "growth", region: "eu-central"),
        (slug: "globex", name: "Globex Works", sku: "starter", region: "us-east"),
    ]

    private var file: String { "\(directory.path)/tenants.json" }

    func prepare() async throws -> [Tenant] {
        let saved =
            FileManager.default.contents(atPath: file)
            .flatMap { try? JSONDecoder().decode([Tenant].self, from: $0) } ?? []
        var tenants: [Tenant] = []
        for wanted in Self.wanted {
            if let known = saved.first(where: { $0.slug == wanted.slug }),
                try await send("GET", "/api/v1/me", bearer: known.key).status == 200
            {
                tenants.append(known)
            } else {
                tenants.append(Tenant(slug: wanted.slug, key: try await key(for: wanted)))
            }
        }
        let data = try JSONEncoder().encode(tenants)
        guard FileManager.default.createFile(atPath: file, contents: data, attributes: [.posixPermissions: 0o600])
        else {
            throw ConfigurationMistakes(["\(file) can't be written; check the folder's rights and the free space"])
        }
        return tenants
    }

    private func key(for wanted: (slug: String, name: String, sku: String, region: String)) async throws -> String {
        let registration = try await send(
            "POST", "/api/v1/tenants", bearer: operatorKey, idempotencyKey: UUID().uuidString,
            [
                "slug": wanted.slug, "name": wanted.name, "sku": wanted.sku, "region": wanted.region,
                "administrator": [
                    "email": "admin@\(wanted.slug).example", "name": "Demo Administrator", "password": password,
                ],
            ])
        if registration.status == 201, let shown = registration.body["apiKey"] as? [String: Any],
            let key = shown["key"] as? String
        {
            return key
        }
        guard registration.status == 409 else { throw refused(registration) }
        // The tenant is there from an earlier start and its key got lost: log in and make another.
        let session = try await send(
            "POST", "/api/v1/sessions", bearer: nil,
            ["tenant": wanted.slug, "email": "admin@\(wanted.slug).example", "password": password])
        guard let token = session.body["accessToken"] as? String else { throw refused(session) }
        let made = try await send(
            "POST", "/api/v1/api-keys", bearer: token, idempotencyKey: UUID().uuidString,
            ["name": "atrium dev", "permission": "write"])
        guard let key = made.body["key"] as? String else { throw refused(made) }
        return key
    }

    private struct Answer {
        let status: Int
        let body: [String: Any]
        let text: String
    }

    private func refused(_ answer: Answer) -> ConfigurationMistakes {
        ConfigurationMistakes([
            "a demo tenant was refused with \(answer.status): \(answer.text); start over with: atrium dev --reset"
        ])
    }

    private func send(
        _ method: String, _ path: String, bearer: String?, idempotencyKey: String? = nil, _ body: [String: Any]? = nil
    ) async throws -> Answer {
        guard let url = URL(string: url + path) else { throw URLError(.badURL) }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.timeoutInterval = 10
        if let bearer { request.setValue("Bearer \(bearer)", forHTTPHeaderField: "Authorization") }
        if let idempotencyKey { request.setValue(idempotencyKey, forHTTPHeaderField: "Idempotency-Key") }
        if let body {
            request.httpBody = try JSONSerialization.data(withJSONObject: body)
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        }
        let (data, response) = try await URLSession.shared.answer(to: request)
        return Answer(
            status: (response as? HTTPURLResponse)?.statusCode ?? 0,
            body: (try? JSONSerialization.jsonObject(with: data)) as? [String: Any] ?? [:],
            text: String(decoding: data, as: UTF8.self))
    }
}

import Kernel
import Tenancy
import Testing
import Web

@Suite("Idempotency-Key")
struct IdempotencyTests {
    private func create(
        _ server: TestServer, key: String?, _ json: String = BodyTests.good
    ) async throws -> Answer {
        try await server.call(
            "POST", "/api/v1/things", headers: key.map { [("Idempotency-Key", $0)] } ?? [], json: json)
    }

    @Test("a creating request without a key is refused")
    func missing() async throws {
        try await withServer { server in
            let answer = try await create(server, key: nil)
            #expect(answer.status == 400)
            #expect(try answer.problem == "idempotency-key-missing")
            #expect(server.store.now.calls == 0)
        }
    }

    @Test(
        "a key that is no key is refused",
        arguments: [
            "", "\"\"", "\"open", "a b", "a,b", "\"a\\x\"", "\"a\"b\"", String(repeating: "k", count: 256), "kéy",
        ])
    func invalid(key: String) async throws {
        try await withServer { server in
            let answer = try await create(server, key: key)
            #expect(answer.status == 400)
            #expect(try answer.problem == "invalid-parameter")
            #expect(try answer.places == ["Idempotency-Key"])
            #expect(server.store.now.calls == 0)
        }
    }

    @Test("two keys are refused")
    func two() async throws {
        try await withServer { server in
            let answer = try await server.call(
                "POST", "/api/v1/things", headers: [("Idempotency-Key", "a"), ("Idempotency-Key", "b")],
                json: BodyTests.good)
            #expect(try answer.problem == "invalid-parameter")
        }
    }

    @Test(
        "a repeated request gets the first answer, byte for byte, and takes effect once",
        arguments: [("k-1", "k-1"), ("k-1", "\"k-1\""), ("\"a \\\"b\\\\\"", "\"a \\\"b\\\\\"")])
    func replay(first: String, second: String) async throws {
        try await withServer { server in
            let original = try await create(server, key: first)
            #expect(original.status == 201)
            let replayed = try await create(server, key: second)
            #expect(replayed.status == 201)
            #expect(replayed.body == original.body)
            #expect(replayed["etag"] == original["etag"])
            #expect(replayed["location"] == original["location"])
            #expect(replayed["content-type"] == original["content-type"])
            #expect(replayed["idempotency-replayed"] == "true")
            #expect(replayed["x-request-id"] != original["x-request-id"])
            #expect(server.store.now.things.count == 1)
        }
    }

    @Test("the same key with another body is refused")
    func otherBody() async throws {
        try await withServer { server in
            _ = try await create(server, key: "k")
            let other = BodyTests.good.replacing("lamp", with: "desk")
            let answer = try await create(server, key: "k", other)
            #expect(answer.status == 422)
            #expect(try answer.problem == "idempotency-key-reused")
            #expect(server.store.now.things.count == 1)
        }
    }

    @Test("a repeated request is replayed although its own effect now stands in its way")
    func ownEffect() async throws {
        try await withServer { server in
            _ = try await create(server, key: "k")
            let answer = try await create(server, key: "k")
            #expect(answer.status == 201)
            let stranger = try await create(server, key: "k2")
            #expect(stranger.status == 409)
            #expect(try stranger.problem == "name-taken")
        }
    }

    @Test("a key whose first request has not finished is a conflict to try again")
    func inFlight() async throws {
        let word = Shape<String>.object("Word", "", Field("word", .string(1...9)) { $0 }) { $0 }
        let endpoint = Endpoint(
            .post, "/made", "make", tag: "T", summary: "", access: .public, body: .json(word),
            idempotency: .receipts { _, _ in nil }, success: .created(word)
        ) { _ in
            throw ReceiptExists(key: "k")
        }
        try await withServer(endpoints: [endpoint]) { server in
            let answer = try await server.call(
                "POST", "/made", headers: [("Idempotency-Key", "k")], json: #"{"word":"x"}"#)
            #expect(answer.status == 409)
            #expect(try answer.problem == "request-in-flight")
            #expect(answer["retry-after"] == "1")
        }
    }

    @Test("a refused body leaves no receipt, so the key is still good")
    func refusedBody() async throws {
        try await withServer { server in
            let refused = try await create(server, key: "k", #"{"name":"lamp"}"#)
            #expect(refused.status == 422)
            let answer = try await create(server, key: "k")
            #expect(answer.status == 201)
        }
    }
}

@Suite("If-Match")
struct PreconditionTests {
    private func rename(_ server: TestServer, _ thing: Answer, ifMatch: [String]) async throws -> Answer {
        let id = try #require(try thing.json["id"]?.string)
        return try await server.call(
            "PUT", "/api/v1/things/\(id)/name", headers: ifMatch.map { ("If-Match", $0) }, json: #"{"name":"desk"}"#)
    }

    private func made(_ server: TestServer) async throws -> Answer {
        try await server.call("POST", "/api/v1/things", headers: [("Idempotency-Key", "k")], json: BodyTests.good)
    }

    @Test("the present version changes, and the answer carries the next")
    func matches() async throws {
        try await withServer { server in
            let thing = try await made(server)
            let answer = try await rename(server, thing, ifMatch: [try #require(thing["etag"])])
            #expect(answer.status == 200)
            #expect(answer["etag"] == "\"2\"")
        }
    }

    @Test("a change without If-Match is refused")
    func missing() async throws {
        try await withServer { server in
            let answer = try await rename(server, try await made(server), ifMatch: [])
            #expect(answer.status == 428)
            #expect(try answer.problem == "precondition-required")
        }
    }

    @Test(
        "a version that is stale, weak or not ours matches nothing",
        arguments: ["\"2\"", "\"0\"", "W/\"1\"", "\"abc\"", "\"01\"", "\"+1\"", "\"99999999999999999999\"", "\"\""])
    func stale(tag: String) async throws {
        try await withServer { server in
            let answer = try await rename(server, try await made(server), ifMatch: [tag])
            #expect(answer.status == 412)
            #expect(try answer.problem == "stale-version")
            #expect(server.store.now.things.first?.name == "lamp")
        }
    }

    @Test(
        "what is no single entity tag is refused",
        arguments: [["1"], ["*"], ["\"1"], ["\"1\", \"2\""], ["\"1\"", "\"1\""], [""]])
    func garbage(tags: [String]) async throws {
        try await withServer { server in
            let answer = try await rename(server, try await made(server), ifMatch: tags)
            #expect(answer.status == 400)
            #expect(try answer.problem == "invalid-parameter")
            #expect(try answer.places == ["If-Match"])
        }
    }
}

import Kernel
import Logging
import Testing
import Web

@Suite("Headers of every answer")
struct HeaderTests {
    @Test(
        "a request id that fits is taken over",
        arguments: ["a", "checkout-7", "A.b_c-9", String(repeating: "x", count: 64)])
    func requestID(id: String) async throws {
        try await withServer { server in
            let answer = try await server.call("GET", "/health/live", headers: [("X-Request-Id", id)])
            #expect(answer["x-request-id"] == id)
            #expect(server.log.entries.contains { $0.message == "request" && $0.metadata["request"] == id })
        }
    }

    @Test(
        "a request id that doesn't fit is replaced",
        arguments: [
            "", "a b", "a\"b", "<script>", "ünïcode", "a;b", String(repeating: "x", count: 65), "a\u{7F}b",
        ])
    func replacedRequestID(id: String) async throws {
        try await withServer { server in
            let answer = try await server.call("GET", "/health/live", headers: [("X-Request-Id", id)])
            if answer.status == 200 {
                let made = try #require(answer["x-request-id"])
                #expect(CorrelationID(made) != nil)
            } else {
                #expect(try answer.problem == "malformed-request")
            }
        }
    }

    @Test("a request id can't smuggle a header into the answer")
    func injection() async throws {
        try await withServer { server in
            let answer = try await server.connect().exchange(
                Array("GET /health/live HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\n b: c\r\nX-Evil: 1\r\n\r\n".utf8))
            #expect(answer["x-evil"] == nil)
            #expect(answer["b"] == nil)
            #expect(answer["x-request-id"] != "a")
        }
    }

    @Test("requests without an id get different ones")
    func freshIDs() async throws {
        try await withServer { server in
            let first = try await server.call("GET", "/health/live")
            let second = try await server.call("GET", "/health/live")
            #expect(first["x-request-id"] != nil)
            #expect(first["x-request-id"] != second["x-request-id"])
        }
    }

    @Test("a trace goes on in a span of its own")
    func trace() async throws {
        try await withServer { server in
            let answer = try await server.call(
                "GET", "/health/live",
                headers: [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")])
            let parts = try #require(answer["traceparent"]).split(separator: "-")
            #expect(parts[1] == "4bf92f3577b34da6a3ce929d0e0e4736")
            #expect(parts[2] != "00f067aa0ba902b7")
            #expect(parts[3] == "00")
        }
    }

    @Test(
        "a trace that can't be read begins anew",
        arguments: [
            "garbage", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ])
    func brokenTrace(header: String) async throws {
        try await withServer { server in
            let answer = try await server.call("GET", "/health/live", headers: [("traceparent", header)])
            let made = try #require(answer["traceparent"])
            #expect(TraceParent(made) != nil)
            #expect(!header.lowercased().contains(made.split(separator: "-")[1]))
        }
    }

    @Test("answers are dated, not stored, and not sniffed", arguments: ["/health/live", "/nowhere"])
    func standing(path: String) async throws {
        try await withServer { server in
            let answer = try await server.call("GET", path)
            #expect(answer["cache-control"] == "no-store")
            #expect(answer["x-content-type-options"] == "nosniff")
            let date = try #require(answer["date"])
            #expect(date.wholeMatch(of: /[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT/) != nil)
        }
    }
}

@Suite("Errors")
struct ErrorTests {
    @Test("an unexpected error is 500 without its details, and logged with them")
    func unexpected() async throws {
        try await withServer { server in
            let answer = try await server.call("GET", "/broken")
            #expect(answer.status == 500)
            #expect(try answer.problem == "internal-error")
            #expect(!answer.text.contains("secret"))
            let entry = try #require(server.log.entries.first { $0.level == .error })
            #expect(entry.metadata["error"]?.contains("secret detail") == true)
            #expect(entry.metadata["request"] == answer["x-request-id"])
            #expect(entry.metadata["operation"] == "break")
        }
    }

    @Test("a failure that may pass is 503, with the seconds to wait")
    func transient() async throws {
        try await withServer { server in
            let answer = try await server.call("GET", "/unavailable")
            #expect(answer.status == 503)
            #expect(try answer.problem == "unavailable")
            #expect(answer["retry-after"] == "2")
        }
    }

    @Test("an endpoint that forgets the ETag it declares fails instead of lying")
    func forgottenETag() async throws {
        try await withServer { server in
            let answer = try await server.call("GET", "/forgetful")
            #expect(answer.status == 500)
        }
    }

    @Test("every request is one line in the log, with tenant, request, correlation and operation")
    func logged() async throws {
        try await withServer { server in
            let answer = try await server.call("GET", "/api/v1/things?limit=3")
            let lines = server.log.entries.filter { $0.message == "request" }
            let line = try #require(lines.first)
            #expect(lines.count == 1)
            #expect(line.metadata["tenant"] == KeyRing.acme.description)
            #expect(line.metadata["request"] == answer["x-request-id"])
            #expect(line.metadata["correlation"] != nil)
            #expect(line.metadata["operation"] == "listThings")
            #expect(line.metadata["status"] == "200")
            #expect(line.metadata["path"] == "/api/v1/things")
            #expect(line.level == .info)
        }
    }

    @Test("a probe that is well is no news")
    func quietProbe() async throws {
        try await withServer(health: [HealthCheck("database") { throw SocketFailure("refused") }]) { server in
            _ = try await server.call("GET", "/health/live", bearer: nil)
            _ = try await server.call("GET", "/health/ready", bearer: nil)
            #expect(server.log.entries.filter { $0.message == "request" }.map(\.level) == [.debug, .info])
        }
    }
}

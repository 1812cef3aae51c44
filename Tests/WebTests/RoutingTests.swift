import Kernel
import ServiceLifecycle
import Testing
import Web

@Suite("Paths, methods and what is not HTTP")
struct RoutingTests {
    @Test("an unknown path is a problem", arguments: ["/", "/api/v1/thing", "/api/v1/things/", "/api//v1/things", "*"])
    func unknownPath(path: String) async throws {
        try await withServer { server in
            let answer = try await server.call("GET", path)
            #expect(answer.status == 404)
            #expect(try answer.problem == "no-such-path")
        }
    }

    @Test("a wrong method is answered with those there are")
    func wrongMethod() async throws {
        try await withServer { server in
            let answer = try await server.call("PATCH", "/api/v1/things")
            #expect(answer.status == 405)
            #expect(try answer.problem == "method-not-allowed")
            #expect(answer["allow"] == "GET, POST, HEAD")
            let odd = try await server.call("OPTIONS", "/operator")
            #expect(odd.status == 405)
            #expect(odd["allow"] == "GET, HEAD")
        }
    }

    @Test("HEAD says what GET would, without the body")
    func head() async throws {
        try await withServer { server in
            let connection = try server.connect()
            let get = try await connection.exchange(request("GET", "/health/live"))
            let head = try await connection.exchange(request("HEAD", "/health/live"), isHead: true)
            #expect(head.status == 200)
            #expect(head["content-length"] == get["content-length"])
            #expect(head["content-type"] == "application/json")
            let again = try await connection.exchange(request("GET", "/health/live"))
            #expect(again.status == 200)
        }
    }

    @Test(
        "a path that can't be read is a problem",
        arguments: ["/words/%FF/of/x", "/words/%4/of/x", "/words/%zz/of/x", "/words/%C3%28/of/x"])
    func unreadablePath(path: String) async throws {
        try await withServer { server in
            let answer = try await server.call("GET", path)
            #expect(answer.status == 400)
            #expect(try answer.problem == "malformed-request")
        }
    }

    @Test(
        "path values arrive decoded, and a coded slash stays inside its segment",
        arguments: [
            ("/words/caf%C3%A9/of/fr", "café/fr"), ("/words/a%2Fb/of/x", "a/b/x"), ("/words/a+b/of/x", "a+b/x"),
            ("http://localhost/words/one/of/en", "one/en"), ("/words/one/of/en?", "one/en"),
        ])
    func decodedPath(path: String, word: String) async throws {
        try await withServer { server in
            let answer = try await server.call("GET", path)
            #expect(answer.status == 200)
            #expect(try answer.json["word"]?.string == word)
        }
    }

    @Test(
        "what is not HTTP is answered with a problem, and the connection ends",
        arguments: [
            "HELLO\r\n\r\n", "GET /health/live HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\n\r\n",
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        ])
    func notHTTP(bytes: String) async throws {
        try await withServer { server in
            let connection = try server.connect()
            let answer = try await connection.exchange(Array(bytes.utf8))
            #expect(answer.status == 400)
            #expect(try answer.problem == "malformed-request")
            let isClosed = try await connection.isClosedByServer()
            #expect(isClosed)
        }
    }

    @Test("headers that never end are given up")
    func endlessHeaders() async throws {
        try await withServer { server in
            let header = "X: \(String(repeating: "y", count: 100_000))"
            let answer = try await server.connect()
                .exchange(Array("GET /health/live HTTP/1.1\r\nHost: x\r\n\(header)\r\n\r\n".utf8))
            #expect(answer.status == 400)
            #expect(try answer.problem == "malformed-request")
        }
    }

    @Test("a chunk that breaks HTTP in the middle of a body is answered with a problem")
    func brokenChunk() async throws {
        try await withServer { server in
            let answer = try await server.connect().exchange(
                Array(
                    ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\nzz\r\n").utf8))
            #expect(answer.status == 400)
            #expect(try answer.problem == "malformed-request")
        }
    }

    @Test("requests on one connection are answered one after the other")
    func keepAlive() async throws {
        try await withServer { server in
            let connection = try server.connect()
            for number in 1...5 {
                let body = Array(#"{"word":"\#(number)"}"#.utf8)
                let answer = try await connection.exchange(
                    request("POST", "/echo", [("Content-Type", "application/json")], body))
                #expect(answer.body == body)
            }
        }
    }

    @Test("a refused request leaves its body behind, and the connection goes on")
    func refusedBody() async throws {
        try await withServer { server in
            let connection = try server.connect()
            let refused = try await connection.exchange(
                request("POST", "/api/v1/things", [], Array(repeating: 0x20, count: 10_000)))
            #expect(refused.status == 401)
            let next = try await connection.exchange(request("GET", "/health/live"))
            #expect(next.status == 200)
        }
    }

    @Test("a client that stops in the middle of its request is not waited for")
    func slowClient() async throws {
        try await withServer(.testing(\.idleTimeout, .milliseconds(200))) { server in
            for start in [
                "GET /health/li",
                "POST /echo HTTP/1.1\r\nContent-Length: 10\r\nContent-Type: application/json\r\n\r\n{",
            ] {
                let connection = try server.connect()
                try await connection.send(start)
                let isClosed = try await connection.isClosedByServer()
                #expect(isClosed)
            }
        }
    }

    @Test("a body that drips in is given up after its time")
    func drippingBody() async throws {
        try await withServer(.testing(\.bodyTimeout, .zero)) { server in
            let connection = try server.connect()
            try await connection.send(
                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n")
            _ = try await connection.receive()
            try await connection.send("1\r\n{\r\n1\r\n}\r\n")
            let answer = try await connection.receive()
            #expect(answer.status == 408)
            #expect(try answer.problem == "request-timeout")
            #expect(answer["connection"] == "close")
        }
    }

    @Test("graceful shutdown answers the request under way and takes no new ones")
    func drains() async throws {
        try await withServer { server in
            let connection = try server.connect()
            async let slow = connection.exchange(request("GET", "/slow"))
            await server.store.gate.somebodyWaits()
            await server.group.triggerGracefulShutdown()
            await server.store.gate.open()
            let answer = try await slow
            #expect(answer.status == 200)
            #expect(try answer.json["word"] == "done")
            let isClosed = try await connection.isClosedByServer()
            #expect(isClosed)
        }
    }

    @Test("mistakes in the endpoints are all found before the server starts")
    func mistakes() throws {
        let word = Shape<String>.object("Word", "", Field("word", .string(1...2)) { $0 }) { $0 }
        let other = Shape<String>.object("Word", "", Field("other", .string(1...2)) { $0 }) { $0 }
        let output = Shape<String>.output("Written", "", Field("word", .string(1...2)) { $0 })
        let endpoints = [
            Endpoint(.get, "/a", "one", tag: "T", summary: "", access: .public, success: .ok(word)) { $0.reply("") },
            Endpoint(.get, "/a", "one", tag: "T", summary: "", access: .public, success: .ok(other)) { $0.reply("") },
            Endpoint(.get, "/b/{id}", "two", tag: "T", summary: "", access: .public, success: .ok(word)) {
                $0.reply("")
            },
            Endpoint(
                .post, "/c", "three", tag: "T", summary: "", access: .public, body: .json(output), success: .noContent
            ) {
                $0.reply()
            },
        ]
        let error = #expect(throws: RouteMistakes.self) { try OpenAPIDocument(endpoints) }
        #expect(error?.mistakes.count == 5)
    }
}

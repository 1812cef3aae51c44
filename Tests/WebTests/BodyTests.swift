import Kernel
import Testing
import Web

@Suite("Request bodies")
struct BodyTests {
    static let good = #"{"name":"lamp","parts":[{"sku":"A-1","quantity":2}],"weight":"1.250"}"#

    @Test("a good body makes a thing, with Location and ETag")
    func created() async throws {
        try await withServer { server in
            let answer = try await server.call(
                "POST", "/api/v1/things", headers: [("Idempotency-Key", "k1")], json: Self.good)
            #expect(answer.status == 201)
            #expect(answer["content-type"] == "application/json")
            #expect(answer["etag"] == "\"1\"")
            let id = try #require(try answer.json["id"]?.string)
            #expect(answer["location"] == "/api/v1/things/\(id)")
            #expect(answer["idempotency-replayed"] == nil)
            let shown = try await server.call("GET", "/api/v1/things/\(id)")
            #expect(try shown.json == answer.json)
        }
    }

    @Test(
        "what is not strict JSON is refused, with its place",
        arguments: [
            ("", 1, 1), ("{", 1, 2), (#"{"name":"a","name":"b"}"#, 1, 13), ("{\"a\":\n  01}", 2, 3), ("{} {}", 1, 4),
            (#"{"name":'a'}"#, 1, 9), ("[1,]", 1, 4), ("nul", 1, 4), ("\u{FEFF}{}", 1, 1),
            (String(repeating: "[", count: 65), 1, 65),
        ])
    func malformed(body: String, line: Int, column: Int) async throws {
        try await withServer { server in
            let answer = try await server.call("POST", "/echo", json: body)
            #expect(answer.status == 400)
            #expect(try answer.problem == "malformed-json")
            #expect(try answer.json["line"]?.int64 == Int64(line))
            #expect(try answer.json["column"]?.int64 == Int64(column))
        }
    }

    @Test("bytes that are not UTF-8 are refused")
    func invalidUTF8() async throws {
        try await withServer { server in
            let body = Array(#"{"word":""#.utf8) + [0xC3, 0x28] + Array(#""}"#.utf8)
            let answer = try await server.connect()
                .exchange(request("POST", "/echo", [("Content-Type", "application/json")], body))
            #expect(answer.status == 400)
            #expect(try answer.problem == "malformed-json")
        }
    }

    @Test("every violation is reported, each with a pointer to its place")
    func violations() async throws {
        try await withServer { server in
            let body = """
                {"name":7,"colour":"red","note":null,"a/b~c":1,
                 "parts":[{"sku":"ok","quantity":1},{"sku":"not ok","quantity":0,"x":1},{"quantity":1.5}]}
                """
            let answer = try await server.call(
                "POST", "/api/v1/things", headers: [("Idempotency-Key", "k1")], json: body)
            #expect(answer.status == 422)
            #expect(try answer.problem == "invalid-body")
            #expect(
                try answer.places.sorted() == [
                    "#/a~1b~0c", "#/colour", "#/name", "#/parts/1/quantity", "#/parts/1/sku", "#/parts/1/x",
                    "#/parts/2/quantity", "#/parts/2/sku", "#/weight",
                ])
            #expect(server.store.now.calls == 0)
        }
    }

    @Test(
        "a value of the wrong type or out of its range is refused",
        arguments: [
            ("name", "null"), ("name", "\"\""), ("name", "\"  \""), ("name", "\"a\\u0000b\""), ("name", "\"a\\nb\""),
            ("name", "\"\(String(repeating: "x", count: 41))\""), ("note", "5"), ("note", "\"a\\u0000b\""),
            ("parts", "[]"), ("parts", "{}"), ("weight", "1.25"), ("weight", "\"1e3\""), ("weight", "\"-1\""),
            ("weight", "\"1.2345\""), ("weight", "\"NaN\""), ("weight", "\"1.2 \""), ("weight", "\"1,2\""),
        ])
    func wrongValue(field: String, value: String) async throws {
        try await withServer { server in
            var body = try JSON.parse(Self.good)
            guard case .object(var object) = body else { return }
            object[field] = try JSON.parse(value)
            body = .object(object)
            let answer = try await server.call(
                "POST", "/api/v1/things", headers: [("Idempotency-Key", "k1")], json: body.description)
            #expect(answer.status == 422)
            #expect(try answer.places == ["#/\(field)"])
        }
    }

    @Test("an array where an object belongs is refused as a whole")
    func wrongRoot() async throws {
        try await withServer { server in
            let answer = try await server.call("POST", "/echo", json: "[]")
            #expect(try answer.problem == "invalid-body")
            #expect(try answer.places == ["#"])
        }
    }

    @Test("a hostile body gets at most a hundred errors back")
    func manyViolations() async throws {
        try await withServer { server in
            let members = (0..<5000).map { "\"f\($0)\":1" }.joined(separator: ",")
            let answer = try await server.call("POST", "/echo", json: "{\(members)}")
            #expect(answer.status == 422)
            #expect(try answer.places.count == 100)
        }
    }

    @Test(
        "media types: parameters and case don't matter, the type does",
        arguments: [
            ("application/json", 200), ("Application/JSON; charset=UTF-8", 200), ("application/words+json", 200),
            ("application/json;charset=\"utf-8\"", 200), ("application/json; charset=latin1", 415), ("text/plain", 415),
            ("application/xml", 415), ("application/jsonx", 415), ("", 415), ("application/other+json", 415),
        ])
    func mediaTypes(type: String, status: Int) async throws {
        try await withServer { server in
            let answer = try await server.call(
                "POST", "/echo", headers: [("Content-Type", type)], json: #"{"word":"hello"}"#)
            #expect(answer.status == status)
            if status == 415 {
                #expect(try answer.problem == "unsupported-media-type")
                #expect(answer["accept"] == "application/json, application/words+json")
            }
        }
    }

    @Test("a body without a media type is refused")
    func noMediaType() async throws {
        try await withServer { server in
            let answer = try await server.connect().exchange(request("POST", "/echo", [], Array("{}".utf8)))
            #expect(try answer.problem == "unsupported-media-type")
        }
    }

    @Test("a body that says it is too large is refused before it is sent, and the connection ends")
    func declaredTooLarge() async throws {
        try await withServer(.testing(\.maximumBodySize, 1000)) { server in
            let connection = try server.connect()
            let answer = try await connection.exchange(
                Array(
                    """
                    POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1001\r\n\r\n
                    """.utf8))
            #expect(answer.status == 413)
            #expect(try answer.problem == "content-too-large")
            #expect(answer["connection"] == "close")
        }
    }

    @Test("a chunked body is refused where it grows too large, and the connection goes on")
    func chunkedTooLarge() async throws {
        try await withServer(.testing(\.maximumBodySize, 1000)) { server in
            let connection = try server.connect()
            let chunk = "190\r\n" + String(repeating: " ", count: 400) + "\r\n"
            let answer = try await connection.exchange(
                Array(
                    ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n" + chunk + chunk + chunk + "0\r\n\r\n").utf8))
            #expect(answer.status == 413)
            #expect(try answer.problem == "content-too-large")
            let next = try await connection.exchange(request("GET", "/health/live"))
            #expect(next.status == 200)
        }
    }

    @Test("a body that just fits is taken")
    func fits() async throws {
        let body = #"{"word":"\#(String(repeating: "x", count: 80))"}"#
        try await withServer(.testing(\.maximumBodySize, body.utf8.count)) { server in
            let fitting = try await server.call("POST", "/echo", json: body)
            #expect(fitting.status == 200)
            let larger = try await server.call("POST", "/echo", json: body + " ")
            #expect(larger.status == 413)
        }
    }

    @Test("a client that asks before it sends is told to go on")
    func expectContinue() async throws {
        try await withServer { server in
            let connection = try server.connect()
            let body = #"{"word":"hello"}"#
            let first = try await connection.exchange(
                Array(
                    ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                        + "Content-Length: \(body.utf8.count)\r\n\r\n").utf8))
            #expect(first.status == 100)
            let second = try await connection.exchange(Array(body.utf8))
            #expect(second.status == 200)
            #expect(second.text == body)
        }
    }
}

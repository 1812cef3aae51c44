import DevStack
import Foundation
import TestSupport
import Testing

@Suite("The tests' own tools")
struct TestToolsTests {
    @Test("read JSON without rounding and write it in one form")
    func json() throws {
        let text = #"{"a":[1,2.50,12345678901234567890.12,true,null,"é\n"],"b":{"c":false}}"#
        let value = try JSONValue(parsing: text)
        #expect(value["a"]?[0]?.int == 1)
        #expect(value["a"]?[1]?.number == Decimal(string: "2.5"))
        #expect(value["a"]?[2]?.number == Decimal(string: "12345678901234567890.12"))
        #expect(value["a"]?[3]?.bool == true)
        #expect(value["a"]?[4]?.isNull == true)
        #expect(value["a"]?[5]?.string == "é\n")
        #expect(value["a"]?[6] == nil)
        #expect(value["b"] == ["c": false])
        #expect(try JSONValue(parsing: value.text) == value)
        #expect(JSONValue.number(7) != "7")
    }

    @Test("refuse what is no JSON", arguments: ["", "{", "[1 2]", "nul"])
    func brokenJSON(text: String) {
        #expect(throws: (any Error).self) { try JSONValue(parsing: text) }
    }

    @Test("name what did not come true in time")
    func waiting() async throws {
        var looks = 0
        try await Waiting.until("three looks") {
            looks += 1
            return looks == 3
        }
        let error = await #expect(throws: DevStackError.self) {
            try await Waiting.until("pigs fly", within: .milliseconds(20)) { false }
        }
        #expect(error?.message.contains("pigs fly") == true)
    }

    @Test("send any method, header and body over HTTP and hand back any answer")
    func http() async throws {
        // Answers with what it was sent.
        let echo = """
            import http.server, json
            class Echo(http.server.BaseHTTPRequestHandler):
                def answer(self):
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    told = {"method": self.command, "path": self.path, "body": body.decode("latin-1"),
                            "type": self.headers.get("Content-Type"), "token": self.headers.get("Authorization")}
                    self.send_response(418)
                    self.send_header("ETag", '"3"')
                    self.end_headers()
                    self.wfile.write(json.dumps(told).encode())
                do_GET = do_POST = do_PUT = do_DELETE = answer
                def log_message(self, *words): pass
            server = http.server.HTTPServer(("127.0.0.1", 0), Echo)
            print("port", server.server_port, flush=True)
            server.serve_forever()
            """
        let python = try #require(Program.find("python3"))
        let server = try await ChildProcess.start(
            Program(python, ["-c", echo], environment: ProcessInfo.processInfo.environment))
        let line = try #require(try await server.waitForLine { $0.hasPrefix("port ") })
        let client = HTTP("http://127.0.0.1:\(line.dropFirst(5))").authorized("secret")
        let reply = try await client.post("/a?b=c%20d", json: ["x": 1], headers: ["Content-Type": "text/odd"])
        #expect(reply.status == 418)
        #expect(reply.headers["etag"] == "\"3\"")
        #expect(reply["method"] == "POST")
        #expect(reply["path"] == "/a?b=c%20d")
        #expect(reply["body"] == #"{"x":1}"#)
        #expect(reply["type"] == "text/odd")
        #expect(reply["token"] == "Bearer secret")
        #expect(try await client.put("/", json: [])["type"] == "application/json")
        #expect(try await client.delete("/")["method"] == "DELETE")
        let broken = try await client.send("POST", "/", body: Data([0x7b, 0xff]))
        #expect(broken["body"] == "{\u{ff}")
        server.send(SIGKILL)
    }
}

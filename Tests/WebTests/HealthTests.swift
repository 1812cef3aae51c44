import Kernel
import Testing
import Web

@Suite("Health and metrics")
struct HealthTests {
    @Test("a process that is well says so")
    func ready() async throws {
        try await withServer(health: [HealthCheck("database") {}]) { server in
            let answer = try await server.call("GET", "/health/ready", bearer: nil)
            #expect(answer.status == 200)
            #expect(try answer.json == ["status": "ok", "checks": ["database": "ok"]])
        }
    }

    @Test("what is down is named, and what is well too; the process lives on")
    func down() async throws {
        let checks = [HealthCheck("database") { throw SocketFailure("refused") }, HealthCheck("broker") {}]
        try await withServer(health: checks) { server in
            let answer = try await server.call("GET", "/health/ready", bearer: nil)
            #expect(answer.status == 503)
            #expect(try answer.problem == "not-ready")
            #expect(try answer.json["checks"] == ["database": "refused", "broker": "ok"])
            let live = try await server.call("GET", "/health/live", bearer: nil)
            #expect(live.status == 200)
        }
    }

    @Test("a check that hangs counts as failed after the deadline, and holds up no other")
    func hanging() async throws {
        let checks = ["one", "two", "three"].map { HealthCheck($0) { try await Task.sleep(for: .seconds(3600)) } }
        try await withServer(health: checks, .testing(\.healthDeadline, .milliseconds(100))) { server in
            let start = ContinuousClock.now
            let answer = try await server.call("GET", "/health/ready", bearer: nil)
            #expect(answer.status == 503)
            #expect(try answer.json["checks"]?["three"]?.string?.hasPrefix("no answer within") == true)
            #expect(start.duration(to: .now) < .seconds(10))
        }
    }

    @Test("requests are counted and timed by operation and class of status")
    func metrics() async throws {
        try await withServer { server in
            _ = try await server.call("GET", "/api/v1/things")
            _ = try await server.call("GET", "/api/v1/things?limit=0")
            _ = try await server.call("GET", "/nowhere")
            let answer = try await server.call("GET", "/metrics", bearer: nil)
            #expect(answer["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            let lines = answer.text.split(separator: "\n")
            #expect(lines.contains("# TYPE http_server_requests_total counter"))
            #expect(lines.contains("http_server_requests_total{operation=\"listThings\",status=\"2xx\"} 1"))
            #expect(lines.contains("http_server_requests_total{operation=\"listThings\",status=\"4xx\"} 1"))
            #expect(lines.contains("http_server_requests_total{operation=\"none\",status=\"4xx\"} 1"))
            #expect(lines.contains("http_server_requests_in_flight 1"))
            #expect(
                lines.contains("http_server_request_duration_seconds_count{operation=\"listThings\",status=\"2xx\"} 1"))
        }
    }
}

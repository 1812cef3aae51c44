import Kernel
import Logging
import Telemetry

/// What every process serves beside its contexts: is it alive, is it ready, what does it measure.
func systemEndpoints(
    _ checks: [HealthCheck], _ deadline: Duration, _ metrics: PrometheusRegistry
) -> [Endpoint] {
    [
        Endpoint(
            .get, "/health/live", "getLiveness", tag: Endpoint.systemTag, summary: "Whether the process runs",
            about: "Asks nothing of the database or the broker: restart the process where this fails.",
            access: .public, success: .ok(HealthReport.shape)
        ) { call in
            call.reply(HealthReport(findings: []))
        },
        Endpoint(
            .get, "/health/ready", "getReadiness", tag: Endpoint.systemTag,
            summary: "Whether the process can serve requests",
            about: "Send no requests while this fails; the answer says what is down.", access: .public,
            success: .ok(HealthReport.shape), problems: [.notReady]
        ) { call in
            let report = await HealthReport.make(of: checks, within: deadline)
            guard report.isHealthy else {
                call.logger.warning(
                    "not ready",
                    metadata: .init(
                        uniqueKeysWithValues: report.findings.compactMap { finding in
                            finding.failure.map { (finding.name, .string($0)) }
                        }))
                throw Problem(.notReady, extensions: [.init(name: "checks", value: report.json)])
            }
            return call.reply(report)
        },
        Endpoint(
            get: "/metrics", "getMetrics",
            outline: .init(
                tag: Endpoint.systemTag, summary: "Metrics in Prometheus' text format 0.0.4", about: "", access: .open,
                parameters: [], contents: [], isIdempotent: false, needsIfMatch: false,
                success: .init(
                    status: 200, about: "The metrics as they stand.", mediaType: "text/plain",
                    schema: ["type": "string"],
                    example: "# TYPE http_server_requests_in_flight gauge\nhttp_server_requests_in_flight 1\n"),
                problems: [], definitions: Definitions())
        ) {
            Outgoing(status: 200, contentType: .prometheus, body: metrics.exposition())
        },
    ]
}

extension Endpoint {
    /// What the server brings with it, beside the endpoints of the contexts.
    static let systemTag = "System"
}

extension HealthReport {
    static let shape = Shape<HealthReport>.output(
        "Health", "What the checks found.",
        Field("status", .constant("ok")) { _ in "ok" },
        Field(
            "checks", .json, "`ok`, or what is wrong, by the name of the check.", example: ["database": "ok"]
        ) { $0.json }
    )

    var json: JSON {
        .object(
            JSONObject(findings.map { .init(name: $0.name, value: .string($0.failure ?? "ok")) }))
    }
}

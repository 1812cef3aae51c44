import Metrics

/// The metrics of one operation, looked up once so that a request only counts.
struct OperationMetrics: Sendable {
    /// By status class: 1xx to 5xx.
    private let requests: [Counter]
    private let durations: [Metrics.Timer]

    init(operation: String, factory: any MetricsFactory) {
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"]
        requests = classes.map {
            Counter(
                label: "http_server_requests_total", dimensions: [("operation", operation), ("status", $0)],
                factory: factory)
        }
        durations = classes.map {
            Metrics.Timer(
                label: "http_server_request_duration_seconds", dimensions: [("operation", operation), ("status", $0)],
                factory: factory)
        }
    }

    func record(status: Int, nanoseconds: Int64) {
        let index = min(max(status / 100 - 1, 0), 4)
        requests[index].increment()
        durations[index].recordNanoseconds(nanoseconds)
    }
}

import Metrics

/// How one context's consumer stands.
struct ConsumerMeters: Sendable {
    let inFlight: Gauge
    /// Messages of its partitions that it has not dealt with.
    let lag: Gauge
    let gaps: Gauge
    private let parked: [(DeadLetter.Kind, Gauge)]

    init(context: String) {
        inFlight = Gauge(label: "atrium_consumer_in_flight", dimensions: [("context", context)])
        lag = Gauge(label: "atrium_consumer_lag", dimensions: [("context", context)])
        gaps = Gauge(label: "atrium_consumer_gaps", dimensions: [("context", context)])
        parked = DeadLetter.Kind.allCases.filter { $0 != .waiting && $0 != .refused }.map {
            (
                $0,
                Gauge(label: "atrium_consumer_parked_keys", dimensions: [("context", context), ("kind", $0.rawValue)])
            )
        }
    }

    func parked(_ keys: [ParkedKey]) {
        for (kind, gauge) in parked { gauge.record(keys.count { $0.kind == kind }) }
    }
}

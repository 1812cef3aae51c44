import Kernel
import Metrics
import Synchronization
import Tenancy

/// What one context's relays in this process show: sums over all databases, of the shards that are held here.
final class RelayMetrics: Sendable {
    /// What is known of one database.
    struct Sample: Sendable {
        var held = 0
        var lanes = 0
        /// Counted up to a bound.
        var backlog = 0
        /// Of the oldest event that is not published.
        var age = Duration.zero
        /// Events that wait in lanes.
        var waiting: [TenantID: Int] = [:]
    }

    private struct State {
        var samples: [DatabaseID: Sample] = [:]
        var tenants: [String: Gauge] = [:]
    }

    /// How many tenants are shown by name.
    static let tenants = 10
    private static let others = "other"

    private let schema: String
    private let state = Mutex(State())
    private let publishedTotal: Counter
    private let setAsideTotal: Counter
    private let backlog: Gauge
    private let age: Gauge
    private let lanes: Gauge
    private let held: Gauge

    init(schema: String) {
        self.schema = schema
        let context = [("context", schema)]
        publishedTotal = Counter(label: "atrium_outbox_published_total", dimensions: context)
        setAsideTotal = Counter(label: "atrium_outbox_set_aside_total", dimensions: context)
        backlog = Gauge(label: "atrium_outbox_backlog_events", dimensions: context)
        age = Gauge(label: "atrium_outbox_lag_seconds", dimensions: context)
        lanes = Gauge(label: "atrium_outbox_lanes", dimensions: context)
        held = Gauge(label: "atrium_outbox_shards_held", dimensions: context)
    }

    func published(_ count: Int) {
        if count > 0 { publishedTotal.increment(by: Int64(count)) }
    }

    func setAside(_ count: Int) {
        if count > 0 { setAsideTotal.increment(by: Int64(count)) }
    }

    func took(_ sample: Sample?, of database: DatabaseID) {
        state.withLock { state in
            state.samples[database] = sample
            let samples = state.samples.values
            backlog.record(samples.reduce(0) { $0 + $1.backlog })
            age.record((samples.map(\.age).max() ?? .zero) / .seconds(1))
            lanes.record(samples.reduce(0) { $0 + $1.lanes })
            held.record(samples.reduce(0) { $0 + $1.held })
            show(samples.reduce(into: [:]) { $0.merge($1.waiting, uniquingKeysWith: +) }, in: &state)
        }
    }

    /// Those with the most by name and the rest together, so that there are never more series than that.
    private func show(_ waiting: [TenantID: Int], in state: inout State) {
        let sorted = waiting.sorted { $0.value > $1.value }
        var shown = Dictionary(
            uniqueKeysWithValues: sorted.prefix(Self.tenants).map { ($0.key.description, $0.value) })
        if sorted.count > Self.tenants {
            shown[Self.others] = sorted.dropFirst(Self.tenants).reduce(0) { $0 + $1.value }
        }
        for (name, gauge) in state.tenants where shown[name] == nil {
            gauge.destroy()
            state.tenants[name] = nil
        }
        for (name, count) in shown {
            let gauge =
                state.tenants[name]
                ?? Gauge(label: "atrium_outbox_lane_events", dimensions: [("context", schema), ("tenant", name)])
            gauge.record(count)
            state.tenants[name] = gauge
        }
    }
}

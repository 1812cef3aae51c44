package import CoreMetrics
import Synchronization

/// Keeps what swift-metrics records, and writes it in Prometheus' text format 0.0.4.
package final class PrometheusRegistry: MetricsFactory {
    private struct State {
        var families: [String: MetricFamily] = [:]
        var help: [String: String] = [:]
        var gauges: [String: [(labels: String, read: @Sendable () -> Double)]] = [:]
    }

    private let state = Mutex(State())
    private let seriesLimit: Int
    private let secondBuckets: [Double]
    private let valueBuckets: [Double]

    /// `seriesLimit` bounds how many combinations of labels one metric keeps; those past it share one, labelled `other`.
    package init(
        seriesLimit: Int = 500,
        secondBuckets: [Double] = [
            0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
        ],
        valueBuckets: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]
    ) {
        self.seriesLimit = seriesLimit
        self.secondBuckets = secondBuckets
        self.valueBuckets = valueBuckets
    }

    package func describe(_ name: String, _ help: String) {
        state.withLock { $0.help[sanitisedMetricName(name)] = help }
    }

    /// A gauge that is asked for its value whenever the metrics are read; a second one of the same name and labels
    /// takes the first one's place.
    package func gauge(
        _ name: String, labels: [(String, String)] = [], _ help: String, read: @escaping @Sendable () -> Double
    ) {
        let (name, labels) = (sanitisedMetricName(name), renderedLabels(labels))
        state.withLock { state in
            state.help[name] = help
            state.gauges[name, default: []].removeAll { $0.labels == labels }
            state.gauges[name, default: []].append((labels, read))
        }
    }

    // MARK: MetricsFactory

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, .counter, dimensions) { CounterSeries() }
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, .counter, dimensions) { FloatingCounterSeries() }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, .gauge, dimensions) { GaugeSeries() }
    }

    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate {
            return series(label, .histogram, dimensions) { HistogramSeries(buckets: valueBuckets) }
        }
        return series(label, .gauge, dimensions) { GaugeSeries() }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let name = label.hasSuffix("_seconds") ? label : label + "_seconds"
        return series(name, .histogram, dimensions) { HistogramSeries(buckets: secondBuckets) }
    }

    package func destroyCounter(_ handler: any CounterHandler) { forget(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { forget(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { forget(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { forget(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { forget(handler) }

    private func series<S: MetricSeries>(
        _ label: String, _ kind: MetricKind, _ dimensions: [(String, String)], make: () -> S
    ) -> S {
        state.withLock { state in
            var name = sanitisedMetricName(label)
            // One name is one type in the text format, so a second type gets a name of its own.
            if let family = state.families[name], family.kind != kind { name += "_\(kind.rawValue)" }
            var family = state.families[name] ?? MetricFamily(kind: kind)
            var labels = renderedLabels(dimensions)
            if family.series[labels] == nil, family.series.count >= seriesLimit {
                labels = renderedLabels(dimensions.map { ($0.0, "other") })
            }
            let made = family.series[labels] as? S ?? make()
            family.series[labels] = made
            state.families[name] = family
            return made
        }
    }

    private func forget(_ handler: AnyObject) {
        state.withLock { state in
            for (name, family) in state.families {
                for (labels, series) in family.series where series === handler {
                    state.families[name]?.series[labels] = nil
                }
            }
        }
    }

    // MARK: Exposition

    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Families by name, series by label, so that two readings can be compared line by line.
    package func exposition() -> [UInt8] {
        let (families, help, gauges) = state.withLock { ($0.families, $0.help, $0.gauges) }
        var text = PrometheusText()
        for name in Set(families.keys).union(gauges.keys).sorted() {
            let family = families[name]
            let read = gauges[name]
            guard family?.series.isEmpty == false || read?.isEmpty == false else { continue }
            text.head(name, family?.kind ?? .gauge, help[name])
            for (labels, series) in (family?.series ?? [:]).sorted(by: { $0.key < $1.key }) {
                series.write(name, labels, to: &text)
            }
            guard family == nil || family?.kind == .gauge else { continue }
            for gauge in (read ?? []).sorted(by: { $0.labels < $1.labels })
            where family?.series[gauge.labels] == nil {
                text.sample(name, gauge.labels, gauge.read())
            }
        }
        return text.bytes
    }
}

enum MetricKind: String, Sendable {
    case counter
    case gauge
    case histogram
}

private struct MetricFamily: Sendable {
    let kind: MetricKind
    var series: [String: any MetricSeries] = [:]
}

import CoreMetrics
import Logging
import Telemetry

/// Where a process's log lines and metrics go, set once.
struct ProcessTelemetry: Sendable {
    let logger: Logger
    let metrics: PrometheusRegistry
    private let sink: LogSink

    static func bootstrap(_ log: LogConfiguration) -> ProcessTelemetry {
        let sink = LogSink()
        let format: LogFormat = log.format == .json ? .json : .terminal
        LoggingSystem.bootstrap { label in
            LogLineHandler(label: label, sink: sink, format: format, level: log.level)
        }
        let metrics = PrometheusRegistry()
        MetricsSystem.bootstrap(metrics)
        return ProcessTelemetry(logger: Logger(label: "atrium"), metrics: metrics, sink: sink)
    }

    func flush() {
        sink.flush()
    }
}

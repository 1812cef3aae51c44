import Foundation
import Kernel
import Logging
import Metrics
import Telemetry
import Testing

@Suite("Prometheus registry")
struct PrometheusTests {
    private let registry = PrometheusRegistry(seriesLimit: 3, secondBuckets: [0.1, 1], valueBuckets: [10, 20])

    private var text: String { String(decoding: registry.exposition(), as: UTF8.self) }
    private var lines: [Substring] { text.split(separator: "\n") }

    @Test("counters, gauges and histograms come out in the text format, sorted")
    func exposition() {
        Counter(label: "b_total", dimensions: [("z", "1"), ("a", "2")], factory: registry).increment(by: 3)
        Gauge(label: "a_gauge", factory: registry).record(1.5)
        let timer = Metrics.Timer(label: "c", factory: registry)
        timer.recordMilliseconds(50)
        timer.recordSeconds(5)
        Recorder(label: "d_bytes", factory: registry).record(15)
        registry.describe("b_total", "Line one\nback\\slash")
        #expect(
            text == """
                # TYPE a_gauge gauge
                a_gauge 1.5
                # HELP b_total Line one\\nback\\\\slash
                # TYPE b_total counter
                b_total{a="2",z="1"} 3
                # TYPE c_seconds histogram
                c_seconds_bucket{le="0.1"} 1
                c_seconds_bucket{le="1"} 1
                c_seconds_bucket{le="+Inf"} 2
                c_seconds_sum 5.05
                c_seconds_count 2
                # TYPE d_bytes histogram
                d_bytes_bucket{le="10"} 0
                d_bytes_bucket{le="20"} 1
                d_bytes_bucket{le="+Inf"} 1
                d_bytes_sum 15
                d_bytes_count 1

                """)
    }

    @Test("a bound belongs to its own bucket")
    func bucketBounds() {
        Recorder(label: "r", factory: registry).record(10)
        #expect(lines.contains("r_bucket{le=\"10\"} 1"))
    }

    @Test("label values can't break out of their quotes")
    func escaping() {
        Counter(label: "c", dimensions: [("l", "a\"b\\c\nd\"} 7\n# x")], factory: registry).increment()
        #expect(lines.count == 2)
        #expect(lines.last == #"c{l="a\"b\\c\nd\"} 7\n# x"} 1"#)
    }

    @Test("names are made to fit, and those that belong to Prometheus are left to it")
    func names() {
        Counter(
            label: "my.metric-1/ü",
            dimensions: [("le", "x"), ("__name", "y"), ("9th", "z"), ("a.b", "1"), ("a-b", "2")],
            factory: registry
        ).increment()
        #expect(lines.last == #"my_metric_1___{_9th="z",a_b="1",label___name="y",label_le="x"} 1"#)
    }

    @Test("past the limit every new combination of labels counts as other")
    func cardinality() {
        for number in 0..<100 {
            Counter(label: "c", dimensions: [("path", "/\(number)")], factory: registry).increment()
        }
        #expect(lines.count == 5)
        #expect(lines.contains(#"c{path="other"} 97"#))
        #expect(lines.contains(#"c{path="/0"} 1"#))
    }

    @Test("the same name and labels are the same metric; a second type gets a name of its own")
    func sameSeries() {
        Counter(label: "c", factory: registry).increment()
        Counter(label: "c", factory: registry).increment()
        Meter(label: "c", factory: registry).set(7)
        #expect(text == "# TYPE c counter\nc 2\n# TYPE c_gauge gauge\nc_gauge 7\n")
    }

    @Test("counters never fall, and values that are no numbers don't poison a sum")
    func oddValues() {
        let counter = Counter(label: "c", factory: registry)
        counter.increment(by: 5)
        counter.increment(by: -3)
        let recorder = Recorder(label: "r", factory: registry)
        recorder.record(Double.nan)
        recorder.record(1)
        Gauge(label: "g", factory: registry).record(-Double.infinity)
        #expect(lines.contains("c 5"))
        #expect(lines.contains("r_sum 1"))
        #expect(lines.contains("g -Inf"))
    }

    @Test("a gauge that is read when asked shows what it then is")
    func callbackGauge() {
        let level = Exchanged(1.0)
        registry.gauge("pool_idle", labels: [("pool", "a")], "Idle connections.") { level.value }
        #expect(lines.contains(#"pool_idle{pool="a"} 1"#))
        level.value = 4
        #expect(lines == ["# HELP pool_idle Idle connections.", "# TYPE pool_idle gauge", #"pool_idle{pool="a"} 4"#])
    }

    @Test("a metric that is destroyed is shown no more")
    func destroyed() {
        let counter = Counter(label: "c", factory: registry)
        counter.increment()
        counter.destroy()
        #expect(text.isEmpty)
    }

    @Test("counting from many tasks at once loses nothing")
    func concurrent() async {
        let timer = Metrics.Timer(label: "t", factory: registry)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        Counter(label: "c", factory: registry).increment()
                        timer.recordNanoseconds(1)
                    }
                }
            }
        }
        #expect(lines.contains("c 8000"))
        #expect(lines.contains("t_seconds_count 8000"))
    }
}

@Suite("Log lines")
struct LogTests {
    /// What a logger of this format writes.
    private func written(_ format: LogFormat, _ body: (Logger) -> Void) throws -> String {
        let pipe = Pipe()
        let sink = LogSink(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        body(
            Logger(label: "test") { LogLineHandler(label: $0, sink: sink, format: format, level: .debug) })
        sink.close()
        try pipe.fileHandleForWriting.close()
        return String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    }

    @Test("an entry is one JSON object on one line")
    func json() throws {
        let text = try written(.json) { logger in
            var logger = logger
            logger[metadataKey: LogKey.tenant] = "acme"
            logger[metadataKey: LogKey.request] = "logger's"
            logger.info(
                "hello",
                metadata: [
                    LogKey.request: "entry's", "count": .stringConvertible(3), "ratio": .stringConvertible(0.5),
                    "list": ["a", "b"], "tree": ["x": "y"], "level": "forged",
                ])
        }
        let json = try JSON.parse(text.dropLast().utf8)
        #expect(text.hasSuffix("}\n"))
        #expect(Timestamp(try #require(json["time"]?.string)) != nil)
        #expect(json["level"] == "info")
        #expect(json["logger"] == "test")
        #expect(json["message"] == "hello")
        #expect(json["tenant"] == "acme")
        #expect(json["request"] == "entry's")
        #expect(json["count"] == 3)
        #expect(json["list"] == ["a", "b"])
        #expect(json["tree"] == ["x": "y"])
        #expect(json["metadata.level"] == "forged")
        #expect(json["at"] == nil)
    }

    @Test("a warning says where it was made")
    func place() throws {
        let json = try JSON.parse(try written(.json) { $0.warning("careful") }.dropLast().utf8)
        #expect(json["at"]?.string?.hasPrefix("WebTests/TelemetryTests.swift:") == true)
    }

    @Test("nothing in an entry ends its line or forges a field", arguments: [LogFormat.json, .terminal])
    func injection(format: LogFormat) throws {
        let evil = "a\"b\\c\nd\r\u{1B}[31m\u{7F}\u{9B}\u{85}\u{2028}\u{2029}\u{0}é€😀"
        let text = try written(format) { $0.info("\(evil)", metadata: ["\(evil)": "\(evil)"]) }
        let forbidden: Set<Unicode.Scalar> = [
            "\u{1B}", "\u{7F}", "\u{9B}", "\u{85}", "\u{2028}", "\u{2029}", "\u{0}", "\r",
        ]
        #expect(text.unicodeScalars.filter { $0 == "\n" }.count == 1)
        #expect(!text.unicodeScalars.contains { forbidden.contains($0) })
        #expect(text.contains("é€😀"))
        if format == .json {
            let json = try JSON.parse(text.dropLast().utf8)
            #expect(json["message"]?.string == evil)
            #expect(json[evil]?.string == evil)
        }
    }

    @Test("lines of many writers come out whole and all of them")
    func concurrent() async throws {
        let pipe = Pipe()
        let sink = LogSink(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        let logger = Logger(label: "test") { LogLineHandler(label: $0, sink: sink, format: .json) }
        async let read = onThread { try pipe.fileHandleForReading.readToEnd() ?? Data() }
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask { for number in 0..<500 { logger.info("line", metadata: ["n": "\(writer)-\(number)"]) } }
            }
        }
        sink.close()
        try pipe.fileHandleForWriting.close()
        let lines = try await read.split(separator: 0x0A)
        let numbers = try lines.map { try JSON.parse($0)["n"]?.string ?? "" }
        #expect(Set(numbers).count == 2000)
        #expect(numbers.filter { $0.hasPrefix("2-") } == (0..<500).map { "2-\($0)" })
    }

    @Test("a reader that doesn't read costs lines, counted, and no memory")
    func stuckReader() async throws {
        let pipe = Pipe()
        let sink = LogSink(descriptor: pipe.fileHandleForWriting.fileDescriptor, capacity: 10_000)
        let line = Array((String(repeating: "x", count: 999) + "\n").utf8)
        // A pipe holds 64 KiB, and the sink 10 kB: the rest has nowhere to go.
        for _ in 0..<1000 { sink.write(line) }
        async let read = onThread { try pipe.fileHandleForReading.readToEnd() ?? Data() }
        sink.close()
        try pipe.fileHandleForWriting.close()
        let text = String(decoding: try await read, as: UTF8.self)
        #expect(text.contains("log lines were dropped"))
        #expect(text.utf8.count < 200_000)
    }

    @Test("what is below the level is not written, and a level can be changed")
    func level() throws {
        let text = try written(.terminal) { logger in
            var logger = logger
            logger.trace("too fine")
            logger.logLevel = .error
            logger.warning("too quiet")
            logger.error("seen")
        }
        #expect(text.contains("ERROR    seen"))
        #expect(!text.contains("too"))
    }
}

/// Prometheus' text exposition format 0.0.4.
struct PrometheusText {
    private(set) var bytes: [UInt8] = []

    mutating func head(_ name: String, _ kind: MetricKind, _ help: String?) {
        if let help {
            let escaped = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
            line("# HELP \(name) \(escaped)")
        }
        line("# TYPE \(name) \(kind.rawValue)")
    }

    mutating func sample(_ name: String, _ labels: String, _ value: Double) {
        line("\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(number(value))")
    }

    mutating func sample(_ name: String, _ labels: String, _ value: Int64) {
        line("\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(value)")
    }

    private mutating func line(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        bytes.append(UInt8(ascii: "\n"))
    }
}

func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    if let integer = Int64(exactly: value) { return String(integer) }
    return value.description
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`
func sanitisedMetricName(_ name: String) -> String {
    sanitised(name) { $0 == UInt8(ascii: ":") }
}

/// `a="x",b="y"`, sorted by name, each name once.
func renderedLabels(_ dimensions: [(String, String)]) -> String {
    var seen: Set<String> = []
    var pairs: [(String, String)] = []
    for (name, value) in dimensions {
        var name = sanitised(name) { _ in false }
        // `le` belongs to the buckets, and names that begin with two underscores to Prometheus.
        if name == "le" || name.hasPrefix("__") { name = "label_" + name }
        if seen.insert(name).inserted { pairs.append((name, value)) }
    }
    return pairs.sorted { $0.0 < $1.0 }.map { name, value in
        let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
        return "\(name)=\"\(escaped)\""
    }.joined(separator: ",")
}

private func sanitised(_ name: String, extra: (UInt8) -> Bool) -> String {
    var bytes: [UInt8] = []
    for byte in name.utf8 {
        let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        if isDigit, bytes.isEmpty { bytes.append(UInt8(ascii: "_")) }
        bytes.append(isDigit || isLetter || extra(byte) ? byte : UInt8(ascii: "_"))
    }
    return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
}

import Kafka
import Kernel

/// A message of a topic on one line of a terminal, whoever wrote it and whatever is in it.
struct EventLine: Sendable {
    private let message: KafkaMessage
    private let headers: [(name: String, text: String)]

    init(_ message: KafkaMessage) {
        self.message = message
        headers = message.headers.map { ($0.name, $0.value.map { String(decoding: $0, as: UTF8.self) } ?? "") }
    }

    var tenant: String? { header("ce_tenantid") }
    var type: String? { header("ce_type") }

    private func header(_ name: String) -> String? { headers.first { $0.name == name }?.text }

    /// Columns with tabs between them: time, tenant, type, identifier, key, place, data.
    var columns: String {
        let place = "\(message.topic)[\(message.partition)]@\(message.offset)"
        return [
            header("ce_time"), tenant, type, header("ce_id"), message.key.map { String(decoding: $0, as: UTF8.self) },
            place,
            message.value.map { String(decoding: $0, as: UTF8.self) },
        ].map { Self.harmless($0 ?? "-") }.joined(separator: "\t")
    }

    /// An object; the data is JSON where it is any, and a string otherwise.
    var json: String {
        let data = message.value.map { (try? JSON.parse($0)) ?? .string(String(decoding: $0, as: UTF8.self)) } ?? .null
        let object: JSON = [
            "topic": .string(message.topic), "partition": .integer(message.partition),
            "offset": .integer(message.offset),
            "timestamp": .integer(message.timestamp),
            "key": message.key.map { .string(String(decoding: $0, as: UTF8.self)) } ?? .null,
            // A list, since names may repeat.
            "headers": .array(headers.map { ["name": .string($0.name), "value": .string($0.text)] }), "data": data,
        ]
        return Self.escaped(object.description)
    }

    /// What moves a terminal's cursor, or turns its text round, becomes a space.
    static func harmless(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { isHarmful($0) ? " " : $0 }))
    }

    /// The same in JSON, where such characters stand in strings alone and can be written as escapes.
    static func escaped(_ json: String) -> String {
        var text = ""
        for scalar in json.unicodeScalars {
            guard isHarmful(scalar), scalar.value <= 0xFFFF else {
                text.unicodeScalars.append(scalar)
                continue
            }
            let hex = String(scalar.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        }
        return text
    }

    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        case .format: (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
        default: false
        }
    }
}

import Kernel
import Metering
import Web

/// Reads usage out of one CloudEvent in the JSON format (CloudEvents 1.0.2 and its JSON Event Format).
///
/// The meter is the one that `data.meter` names; where it is left out, the event's `type` is the meter's key. Extension
/// attributes are taken and not kept. Within `data` an unknown member is refused: a misspelt `value` must not be lost.
struct CloudEventReader {
    /// What an event says it is, as far as that can be read, so that an answer can name it.
    private(set) var source: String?
    private(set) var id: String?
    private(set) var violations: [Violation] = []

    /// The event, or `nil` with at least one violation.
    mutating func read(_ json: JSON) -> UsageEvent? {
        guard case .object(let event) = json else {
            complain("must be a CloudEvent: a JSON object", at: [])
            return nil
        }
        checkNames(of: event)
        if let version = required("specversion", of: event, upTo: 10), version != "1.0" {
            complain("must be 1.0", at: ["specversion"])
        }
        id = required("id", of: event, upTo: 255)
        source = required("source", of: event, upTo: 500)
        if let source, !isURIReference(source) { complain("must be a URI reference (RFC 3986)", at: ["source"]) }
        let type = required("type", of: event, upTo: 200)
        let subject = optional("subject", of: event, upTo: 500)
        let time = time(of: event)
        checkContentType(of: event)
        let (meter, value, dimensions) = data(of: event, type: type)
        guard violations.isEmpty, let id, let source, let type, let meter else { return nil }
        return UsageEvent(
            identity: UsageIdentity(source: source, id: id), type: type, subject: subject, time: time, meter: meter,
            value: value, dimensions: dimensions)
    }

    private mutating func complain(_ detail: String, at place: [String]) {
        violations.append(Violation(detail, at: .body(place)))
    }

    // MARK: Attributes

    private static let attributes: Set<String> = [
        "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data",
    ]

    private mutating func checkNames(of event: JSONObject) {
        for member in event.members where !Self.attributes.contains(member.name) {
            if member.name == "data_base64" {
                complain("is not taken: send the data as JSON in `data`", at: [member.name])
            } else if !isAttributeName(member.name) {
                complain("is no attribute's name: lower-case letters and digits, at most 64", at: [member.name])
            } else {
                switch member.value {
                case .null, .bool, .number, .string: break
                case .array, .object: complain("must be a string, a number or a boolean", at: [member.name])
                }
            }
        }
    }

    private mutating func required(_ name: String, of event: JSONObject, upTo limit: Int) -> String? {
        let value = event[name] ?? .null
        guard value != .null else {
            complain("is missing", at: [name])
            return nil
        }
        return text(value, upTo: limit, at: [name])
    }

    /// The JSON format lets `null` stand for an attribute that is not there.
    private mutating func optional(_ name: String, of event: JSONObject, upTo limit: Int) -> String? {
        guard let value = event[name], value != .null else { return nil }
        return text(value, upTo: limit, at: [name])
    }

    private mutating func text(_ value: JSON, upTo limit: Int, at place: [String]) -> String? {
        guard let text = value.string else {
            complain("must be a string, but is of type \(value.kind)", at: place)
            return nil
        }
        let length = text.unicodeScalars.count
        guard (1...limit).contains(length) else {
            complain("must have 1 to \(limit) characters, but has \(length)", at: place)
            return nil
        }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }) else {
            complain("must not contain control characters", at: place)
            return nil
        }
        return text
    }

    private mutating func time(of event: JSONObject) -> Timestamp? {
        guard let text = optional("time", of: event, upTo: 64) else { return nil }
        guard let time = Timestamp(text) else {
            complain("must be a time of RFC 3339, such as 2026-02-03T09:30:00Z", at: ["time"])
            return nil
        }
        return time
    }

    private mutating func checkContentType(of event: JSONObject) {
        guard let type = optional("datacontenttype", of: event, upTo: 200) else { return }
        let media = type.prefix { $0 != ";" && $0 != " " }.lowercased()
        if media != "application/json", !media.hasSuffix("+json") {
            complain("must be application/json, or left out", at: ["datacontenttype"])
        }
    }

    // MARK: Data

    private mutating func data(
        of event: JSONObject, type: String?
    ) -> (MeterKey?, Quantity?, [String: String]) {
        var meter: MeterKey?
        var value: Quantity?
        var dimensions: [String: String] = [:]
        var namesMeter = false
        switch event["data"] {
        case nil, .null: break
        case .object(let data):
            for member in data.members {
                switch (member.name, member.value) {
                case (_, .null): break
                case ("meter", let json):
                    namesMeter = true
                    meter = key(json)
                case ("value", let json): value = quantity(json)
                case ("dimensions", let json): dimensions = self.dimensions(json)
                default: complain("is not a known field", at: ["data", member.name])
                }
            }
        case .some(let other): complain("must be an object, but is of type \(other.kind)", at: ["data"])
        }
        if !namesMeter, let type {
            meter = MeterKey(type)
            if meter == nil {
                complain("is missing, and the event's type is no meter's key either", at: ["data", "meter"])
            }
        }
        return (meter, value, dimensions)
    }

    private mutating func key(_ json: JSON) -> MeterKey? {
        if let key = json.string.flatMap({ MeterKey($0) }) { return key }
        complain("must be a meter's key, matching \(MeterKey.pattern)", at: ["data", "meter"])
        return nil
    }

    private mutating func quantity(_ json: JSON) -> Quantity? {
        let text: String
        switch json {
        case .number(let number): text = number
        case .string(let string): text = string
        case .null, .bool, .array, .object:
            complain("\(QuantityError.malformed)", at: ["data", "value"])
            return nil
        }
        do throws(QuantityError) {
            return try Quantity(text)
        } catch {
            complain("\(error)", at: ["data", "value"])
            return nil
        }
    }

    private mutating func dimensions(_ json: JSON) -> [String: String] {
        guard case .object(let object) = json else {
            complain("must be an object of strings, but is of type \(json.kind)", at: ["data", "dimensions"])
            return [:]
        }
        guard object.members.count <= 20 else {
            complain("must have at most 20 members, but has \(object.members.count)", at: ["data", "dimensions"])
            return [:]
        }
        var found: [String: String] = [:]
        for member in object.members {
            let place = ["data", "dimensions", member.name]
            guard (1...64).contains(member.name.utf8.count), TextRule.code.holds(member.name) else {
                complain("must be named by \(TextRule.code.name), 1 to 64 of them", at: place)
                continue
            }
            if let value = text(member.value, upTo: 200, at: place) { found[member.name] = value }
        }
        return found
    }
}

/// CloudEvents 1.0, section "Naming conventions".
private func isAttributeName(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count)
        && name.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
}

/// The characters of RFC 3986, section 2, with every percent sign beginning an escape.
private func isURIReference(_ text: String) -> Bool {
    var digitsDue = 0
    for byte in text.utf8 {
        if digitsDue > 0 {
            guard Unicode.Scalar(byte).properties.isASCIIHexDigit else { return false }
            digitsDue -= 1
        } else if byte == UInt8(ascii: "%") {
            digitsDue = 2
        } else {
            guard byte > 0x20, byte < 0x7F, !"\"<>\\^`{|}".utf8.contains(byte) else { return false }
        }
    }
    return digitsDue == 0
}

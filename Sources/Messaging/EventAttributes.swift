import Foundation
import Kafka
import Kernel

/// The attributes of a CloudEvent as a Kafka record carries them, in binary or structured mode, before they are judged.
///
/// Attributes that we don't know are left alone, however odd: the extensions of others are none of our business.
struct EventAttributes {
    /// By the names that CloudEvents has for them, without the prefix of headers.
    private(set) var values: [String: String] = [:]
    private(set) var data: [UInt8]?
    /// Whether anything at all says that this is a CloudEvent.
    private(set) var isCloudEvent = false
    private(set) var isStructured = false
    /// W3C Trace Context of the record, which stays a header in both modes.
    private(set) var trace: String?
    /// Media type of the data, where it is stated.
    private(set) var dataContentType: String?
    /// What is wrong with an attribute, by its name; with the envelope as a whole, by the empty name.
    private(set) var mistakes: [String: String] = [:]

    static let known: Set<String> = [
        "specversion", "id", "source", "type", "time", "subject", "dataschema", "datacontenttype", "sequence",
        "tenantid", "correlationid", "causationid", "consistency", "factid", "alsoas",
    ]

    init(headers: [KafkaHeader], value: [UInt8]?) {
        let contentTypes = headers.filter { $0.name.lowercased() == CloudEventHeader.contentType }
            .map { header in header.value.flatMap { String(validating: $0, as: UTF8.self) } }
        let isAmbiguous = contentTypes.count > 1
        let structured = contentTypes.compactMap(\.self).first { mediaType($0).hasPrefix("application/cloudevents") }
        trace = headers.text(CloudEventHeader.trace)
        if let structured {
            isStructured = true
            isCloudEvent = true
            readStructured(mediaType(structured), charset: charset(structured), value)
            if isAmbiguous { mistakes[""] = "the header content-type is there twice" }
        } else {
            if isAmbiguous { mistakes["datacontenttype"] = "the header content-type is there twice" }
            dataContentType = contentTypes.first ?? nil
            readBinary(headers)
            data = value
        }
    }

    // MARK: Binary mode

    private mutating func readBinary(_ headers: [KafkaHeader]) {
        for header in headers {
            let name = header.name.lowercased()
            guard name.hasPrefix("ce_") else { continue }
            isCloudEvent = true
            let attribute = String(name.dropFirst(3))
            guard Self.known.contains(attribute), attribute != "datacontenttype" else { continue }
            guard let bytes = header.value, let text = String(validating: bytes, as: UTF8.self) else {
                mistakes[attribute] = "the header \(name) is not UTF-8 text"
                continue
            }
            take(text, as: attribute, "the header \(name)")
        }
    }

    private mutating func take(_ text: String, as attribute: String, _ what: String) {
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            mistakes[attribute] = "\(what) has control characters"
            return
        }
        guard values.updateValue(text, forKey: attribute) == nil else {
            mistakes[attribute] = "\(what) is there twice"
            return
        }
    }

    // MARK: Structured mode

    private mutating func readStructured(_ media: String, charset: String?, _ value: [UInt8]?) {
        guard media == "application/cloudevents+json" || media == "application/cloudevents" else {
            mistakes[""] = "the format \(media.prefix(100)) is not application/cloudevents+json"
            return
        }
        if let charset, charset != "utf-8", charset != "us-ascii" {
            mistakes[""] = "the event is not in UTF-8"
            return
        }
        let envelope: JSON
        do {
            envelope = try JSON.parse(withoutMark(value ?? []))
        } catch {
            mistakes[""] = "the event is not JSON: \(error)"
            return
        }
        guard case .object(let members) = envelope else {
            mistakes[""] = "the event is not a JSON object"
            return
        }
        for member in members.members where Self.known.contains(member.name) {
            switch member.value {
            case .string(let text): take(text, as: member.name, "the attribute \(member.name)")
            case .null: break
            default: mistakes[member.name] = "the attribute \(member.name) is not text"
            }
        }
        dataContentType = values["datacontenttype"]
        readData(members["data"], base64: members["data_base64"])
    }

    private mutating func readData(_ plain: JSON?, base64: JSON?) {
        switch (plain ?? .null, base64 ?? .null) {
        case (.null, .null): break
        case (let json, .null): data = Array(json.description.utf8)
        case (.null, .string(let text)):
            guard let decoded = Data(base64Encoded: text) else {
                mistakes["data"] = "data_base64 is not Base64"
                return
            }
            data = Array(decoded)
        case (.null, _): mistakes["data"] = "data_base64 is not text"
        default: mistakes["data"] = "the event has both data and data_base64"
        }
    }

    // MARK: Asking

    /// The value, unless something is wrong with it.
    func readable(_ name: String) -> String? {
        mistakes[name] == nil ? values[name].flatMap { $0.isEmpty ? nil : $0 } : nil
    }

    func identifier<Kind>(_ name: String, _ kind: Identifier<Kind>.Type = Identifier<Kind>.self) -> Identifier<Kind>? {
        readable(name).flatMap { Identifier<Kind>($0) }
    }

    /// What the inbox knows the event by: a fact that is told in several versions has one identifier for all of them.
    var factID: EventID? {
        if values["factid"] != nil || mistakes["factid"] != nil { return identifier("factid") }
        return identifier("id")
    }

    /// What readers and operators call an attribute of an event in this mode.
    func label(_ name: String) -> String { isStructured ? "the attribute \(name)" : "the header ce_\(name)" }
}

/// `application/json; charset=utf-8` without what comes behind it, in lower case.
private func mediaType(_ text: String) -> String {
    text.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
}

private func charset(_ text: String) -> String? {
    for parameter in text.split(separator: ";").dropFirst() {
        let parts = parameter.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
        guard parts.count == 2, parts[0].lowercased() == "charset" else { continue }
        return parts[1].trimmingCharacters(in: CharacterSet(charactersIn: "\"")).lowercased()
    }
    return nil
}

/// The bytes without a mark of the byte order, which RFC 8259 lets readers pass over.
func withoutMark(_ bytes: [UInt8]) -> [UInt8] {
    bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
}

extension EventAttributes {
    /// Whether the data is stated, or left, to be JSON that we can read.
    func checkDataIsJSON() throws(Rejection) {
        if let mistake = mistakes["datacontenttype"] { throw Rejection(mistake) }
        guard let dataContentType else { return }
        let media = mediaType(dataContentType)
        guard media == "application/json" || media == "text/json" || media.hasSuffix("+json") else {
            throw Rejection("content-type is not JSON")
        }
        if let charset = charset(dataContentType), charset != "utf-8", charset != "us-ascii" {
            throw Rejection("the data is not in UTF-8")
        }
    }
}

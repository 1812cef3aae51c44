import Foundation
package import Kafka
package import Kernel
package import Tenancy

/// A CloudEvent of the Kafka binding's binary mode, checked as far as its envelope goes.
package struct ReceivedEvent: Sendable {
    package let id: EventID
    /// Shared by all versions of one fact; the event's own where there is one version.
    package let factID: EventID
    package let source: String
    package let type: String
    package let time: Timestamp
    package let tenantID: TenantID
    package let correlation: Correlation
    /// What reads must show for the event to make sense.
    package let need: ReadNeed
    package let data: [UInt8]

    package init(_ message: KafkaMessage) throws(Rejection) {
        try self.init(headers: message.headers, value: message.value)
    }

    init(headers: [KafkaHeader], value: [UInt8]?) throws(Rejection) {
        let headers = try Headers(headers)
        guard headers.values[CloudEventHeader.specVersion] != nil else {
            throw Rejection("not a CloudEvent: the header ce_specversion is missing")
        }
        let version = try headers.required(CloudEventHeader.specVersion)
        guard version == "1.0" else { throw Rejection("ce_specversion is not 1.0") }
        id = try headers.identifier(CloudEventHeader.id)
        factID = headers.values[CloudEventHeader.fact] == nil ? id : try headers.identifier(CloudEventHeader.fact)
        source = try headers.required(CloudEventHeader.source)
        type = try headers.required(CloudEventHeader.type)
        guard let time = Timestamp(try headers.required(CloudEventHeader.time)) else {
            throw Rejection("ce_time is not an RFC 3339 time")
        }
        self.time = time
        tenantID = try headers.identifier(CloudEventHeader.tenant)
        let correlationID: CorrelationID = try headers.identifier(CloudEventHeader.correlation)
        var causation: EventID?
        if headers.values[CloudEventHeader.causation] != nil {
            causation = try headers.identifier(CloudEventHeader.causation)
        }
        // A trace that is missing or malformed starts anew, as W3C Trace Context asks; it is no reason to lose the event.
        let trace = headers.values[CloudEventHeader.trace].flatMap { TraceParent($0) } ?? .random()
        correlation = Correlation(id: correlationID, causation: causation, trace: trace)
        need =
            headers.values[CloudEventHeader.consistency].flatMap { ConsistencyToken($0) }.map { .atLeast($0) }
            ?? .latest
        if let type = headers.values[CloudEventHeader.contentType] {
            let media = type.prefix { $0 != ";" }.lowercased()
            guard media == "application/json" || media.hasSuffix("+json") else {
                throw Rejection("content-type is not JSON")
            }
        }
        guard let value, !value.isEmpty else { throw Rejection("the event has no data") }
        data = value
    }

    /// Reads the data as the contract of its type, and holds it to the envelope's tenant.
    func payload<Event: IntegrationEvent>(as event: Event.Type) throws(Rejection) -> Event {
        let payload: Event
        do {
            payload = try JSONDecoder().decode(event, from: Data(data))
        } catch {
            throw Rejection("the data is not a \(Event.type): \(Self.explain(error))")
        }
        guard payload.tenantId == tenantID else {
            throw Rejection("the data names another tenant than the header ce_tenantid")
        }
        return payload
    }

    /// Names the place and the kind of a decoding failure, never the data.
    private static func explain(_ error: any Error) -> String {
        func path(_ context: DecodingError.Context) -> String {
            "/" + context.codingPath.map(\.stringValue).joined(separator: "/")
        }
        switch error as? DecodingError {
        case .keyNotFound(let key, let context): return "\(key.stringValue) is missing at \(path(context))"
        case .typeMismatch(_, let context): return "wrong type at \(path(context))"
        case .valueNotFound(_, let context): return "null at \(path(context))"
        case .dataCorrupted(let context): return "not readable at \(path(context))"
        case nil: return "not readable"
        @unknown default: return "not readable"
        }
    }
}

/// The event can never be processed as it is: it goes to the dead letters at once.
package struct Rejection: Error, Hashable, CustomStringConvertible {
    package let reason: String

    package init(_ reason: String) {
        self.reason = reason
    }

    package var description: String { reason }
}

private struct Headers {
    let values: [String: String]

    init(_ headers: [KafkaHeader]) throws(Rejection) {
        var values: [String: String] = [:]
        for header in headers where header.name.hasPrefix("ce_") || Self.plain.contains(header.name.lowercased()) {
            let name = header.name.lowercased()
            guard let bytes = header.value, let text = String(validating: bytes, as: UTF8.self) else {
                throw Rejection("the header \(name) is not UTF-8 text")
            }
            guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
                throw Rejection("the header \(name) has control characters")
            }
            guard values.updateValue(text, forKey: name) == nil else {
                throw Rejection("the header \(name) is there twice")
            }
        }
        self.values = values
    }

    private static let plain: Set<String> = [CloudEventHeader.trace, CloudEventHeader.contentType]

    func required(_ name: String) throws(Rejection) -> String {
        guard let value = values[name], !value.isEmpty else { throw Rejection("the header \(name) is missing") }
        return value
    }

    func identifier<Kind>(_ name: String) throws(Rejection) -> Identifier<Kind> {
        guard let value = Identifier<Kind>(try required(name)) else {
            throw Rejection("the header \(name) is not a UUID")
        }
        return value
    }
}

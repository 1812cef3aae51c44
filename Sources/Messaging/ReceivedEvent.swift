import Foundation
package import Kafka
package import Kernel
package import Tenancy

/// A CloudEvent of the Kafka binding, in either mode, checked as far as its envelope goes.
package struct ReceivedEvent: Sendable {
    package let id: EventID
    /// What the inbox knows it by: the same for all versions that one fact is told in.
    package let factID: EventID
    /// The other types that the same fact is told as.
    package let alsoAs: [String]
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
        try self.init(EventAttributes(headers: headers, value: value))
    }

    init(_ attributes: EventAttributes) throws(Rejection) {
        if let mistake = attributes.mistakes[""] { throw Rejection(mistake) }
        func text(_ name: String) throws(Rejection) -> String {
            if let mistake = attributes.mistakes[name] { throw Rejection(mistake) }
            guard let value = attributes.readable(name) else {
                throw Rejection("\(attributes.label(name)) is missing")
            }
            return value
        }
        func identifier<Kind>(_ name: String) throws(Rejection) -> Identifier<Kind> {
            guard let value = Identifier<Kind>(try text(name)) else {
                throw Rejection("\(attributes.label(name)) is not a UUID")
            }
            return value
        }
        func isThere(_ name: String) -> Bool { attributes.values[name] != nil || attributes.mistakes[name] != nil }

        guard isThere("specversion") else {
            throw Rejection("not a CloudEvent: \(attributes.label("specversion")) is missing")
        }
        guard try text("specversion") == "1.0" else { throw Rejection("\(attributes.label("specversion")) is not 1.0") }
        id = try identifier("id")
        source = try text("source")
        type = try text("type")
        guard let time = Timestamp(try text("time")) else {
            throw Rejection("\(attributes.label("time")) is not an RFC 3339 time")
        }
        self.time = time
        tenantID = try identifier("tenantid")
        let correlationID: CorrelationID = try identifier("correlationid")
        let causation: EventID? = isThere("causationid") ? try identifier("causationid") : nil
        // A trace that is missing or malformed starts anew, as W3C Trace Context asks; it is no reason to lose the event.
        let trace = attributes.trace.flatMap { TraceParent($0) } ?? .random()
        correlation = Correlation(id: correlationID, causation: causation, trace: trace)
        factID = isThere("factid") ? try identifier("factid") : id
        alsoAs = isThere("alsoas") ? try text("alsoas").split(separator: ",").map { String($0.trimming(" ")) } : []
        need = attributes.readable("consistency").flatMap { ConsistencyToken($0) }.map { .atLeast($0) } ?? .latest
        // What is wrong with other attributes that we know makes the whole envelope doubtful.
        if let other = attributes.mistakes.sorted(by: { $0.key < $1.key }).first { throw Rejection(other.value) }
        try attributes.checkDataIsJSON()
        guard let data = attributes.data, !data.isEmpty else { throw Rejection("the event has no data") }
        self.data = withoutMark(data)
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

extension Substring {
    fileprivate func trimming(_ character: Character) -> Substring {
        var rest = self
        while rest.first == character { rest.removeFirst() }
        while rest.last == character { rest.removeLast() }
        return rest
    }
}

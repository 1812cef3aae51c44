/// What ties a piece of work to the request or event that set it off.
public struct Correlation: Hashable, Sendable {
    public let id: CorrelationID
    /// The event that caused this work, where an event did.
    public let causation: EventID?
    /// The `traceparent` of W3C Trace Context that this work continues.
    public let trace: TraceParent

    public init(id: CorrelationID, causation: EventID? = nil, trace: TraceParent) {
        self.id = id
        self.causation = causation
        self.trace = trace
    }

    /// The start of something new.
    public static func new(using identifiers: IdentifierSource = .system) -> Correlation {
        Correlation(id: identifiers.next(), trace: .random())
    }

    public func caused(by event: EventID) -> Correlation {
        Correlation(id: id, causation: event, trace: trace.child())
    }
}

/// `traceparent` of W3C Trace Context, level 1.
public struct TraceParent: Hashable, Sendable {
    public let traceID: String
    public let parentID: String
    public let flags: UInt8

    public static func random() -> TraceParent {
        TraceParent(traceID: hex(.random(in: 1 ... .max)) + hex(.random(in: .min ... .max)), flags: 1)
    }

    /// The same trace, seen from a new span.
    public func child() -> TraceParent {
        TraceParent(traceID: traceID, flags: flags)
    }

    private init(traceID: String, flags: UInt8) {
        self.traceID = traceID
        self.parentID = hex(.random(in: 1 ... .max))
        self.flags = flags
    }

    /// Reads version 00; of a later version, the parts that level 1 defines.
    public init?(_ header: some StringProtocol) {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, isLowerHex(parts[0], 2), parts[0] != "ff", isLowerHex(parts[1], 32),
            isLowerHex(parts[2], 16), isLowerHex(parts[3], 2), parts[0] != "00" || parts.count == 4,
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" }),
            let flags = UInt8(parts[3], radix: 16)
        else { return nil }
        traceID = String(parts[1])
        parentID = String(parts[2])
        self.flags = flags
    }
}

extension TraceParent: CustomStringConvertible {
    public var description: String {
        let low = String(flags, radix: 16)
        return "00-\(traceID)-\(parentID)-\(low.utf8.count == 1 ? "0" + low : low)"
    }
}

private func isLowerHex(_ text: some StringProtocol, _ count: Int) -> Bool {
    text.utf8.count == count
        && text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
}

private func hex(_ value: UInt64) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 16 - text.utf8.count) + text
}

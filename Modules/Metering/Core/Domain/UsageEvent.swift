package import Kernel
package import MeteringContracts

/// One report of usage, as its sender put it.
package struct UsageEvent: Hashable, Sendable {
    package let identity: UsageIdentity
    package let type: String
    package let subject: String?
    /// Where the sender leaves the time out, it is the time of recording.
    package let time: Timestamp?
    package let meter: MeterKey
    package let value: Quantity?
    package let dimensions: [String: String]

    package init(
        identity: UsageIdentity, type: String, subject: String? = nil, time: Timestamp? = nil, meter: MeterKey,
        value: Quantity? = nil, dimensions: [String: String] = [:]
    ) {
        self.identity = identity
        self.type = type
        self.subject = subject
        self.time = time
        self.meter = meter
        self.value = value
        self.dimensions = dimensions
    }
}

/// What makes two reports one: the source names its events apart from one another (CloudEvents 1.0, `id`).
package struct UsageIdentity: Hashable, Sendable {
    package let source: String
    package let id: String

    package init(source: String, id: String) {
        self.source = source
        self.id = id
    }

    /// The sources of Atrium's own usage: nobody else may take an identity there before Atrium does.
    package static let reservedSource = "/atrium/"

    package var isReserved: Bool { source.hasPrefix(Self.reservedSource) }
}

extension UsageIdentity: Comparable {
    /// Byte by byte, as the database compares them: to a `String`, two spellings of one character are the same.
    package static func == (left: Self, right: Self) -> Bool {
        left.source.utf8.elementsEqual(right.source.utf8) && left.id.utf8.elementsEqual(right.id.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        for text in [source, id] {
            for byte in text.utf8 { hasher.combine(byte) }
            hasher.combine(UInt8(0xFF))
        }
    }

    package static func < (left: Self, right: Self) -> Bool {
        if left.source.utf8.elementsEqual(right.source.utf8) {
            return left.id.utf8.lexicographicallyPrecedes(right.id.utf8)
        }
        return left.source.utf8.lexicographicallyPrecedes(right.source.utf8)
    }
}

/// What a report says beyond its identity: a second one under the same identity must say the same.
package struct UsageContent: Hashable, Sendable {
    package let type: String
    package let subject: String?
    package let statedTime: Timestamp?
    package let meterID: MeterID
    package let amount: Quantity
    package let dimensions: [String: String]

    package init(
        type: String, subject: String?, statedTime: Timestamp?, meterID: MeterID, amount: Quantity,
        dimensions: [String: String]
    ) {
        self.type = type
        self.subject = subject
        self.statedTime = statedTime
        self.meterID = meterID
        self.amount = amount
        self.dimensions = dimensions
    }
}

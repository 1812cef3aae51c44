package import Kernel

/// Why Metering refuses a command or a question.
package enum MeteringError: Error, Hashable, Sendable {
    case unknownMeter(MeterKey)
    case builtInMeter(MeterKey)
    case definedOtherwise(MeterDefinition)
    case tooManyMeters(limit: Int)
    case emptyPeriod
    case unalignedPeriod(Timestamp, UsageWindow)
    case tooManyWindows(Int64, limit: Int64)
}

/// Why one usage event is not recorded.
package enum UsageRefusal: Error, Hashable, Sendable {
    case unknownMeter(MeterKey)
    case builtInMeter(MeterKey)
    case reservedSource
    case valueMissing(MeterKey)
    case valueOnCount(MeterKey)
    case tooOld(Timestamp, earliest: Timestamp)
    case tooFarAhead(Timestamp, latest: Timestamp)
    /// Another event with this source and id has been recorded.
    case conflict
}

extension UsageRefusal {
    /// What programs tell the refusals apart by.
    package var code: String {
        switch self {
        case .unknownMeter: "unknown-meter"
        case .builtInMeter: "built-in-meter"
        case .reservedSource: "reserved-source"
        case .valueMissing: "value-missing"
        case .valueOnCount: "value-on-count-meter"
        case .tooOld: "too-old"
        case .tooFarAhead: "too-far-ahead"
        case .conflict: "conflict"
        }
    }
}

extension UsageRefusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknownMeter(let key): "There is no meter \(key); define it first with PUT /api/v1/meters/\(key)."
        case .builtInMeter(let key): "Atrium records \(key) by itself; send usage of a meter of your own."
        case .reservedSource: "Sources that begin with \(UsageIdentity.reservedSource) are Atrium's own; use another."
        case .valueMissing(let key): "The meter \(key) adds up values; give the event a data.value."
        case .valueOnCount(let key): "The meter \(key) counts events; leave data.value out, or let it be 1."
        case .tooOld(let time, let earliest):
            "The time \(time) is too long ago; the earliest that is taken is \(earliest)."
        case .tooFarAhead(let time, let latest):
            "The time \(time) is in the future; the latest that is taken is \(latest). Check the sender's clock."
        case .conflict:
            "Another event with this source and id was recorded, and says something else; new usage needs a new id."
        }
    }
}

import Kernel
package import Metering
package import Web

extension ProblemType {
    static let unknownMeter = ProblemType(
        "unknown-meter", 404, "There is no such meter", "Define it with PUT /api/v1/meters/{key}, or correct its key.")
    static let builtInMeter = ProblemType(
        "built-in-meter", 409, "The meter is Atrium's own", "Choose another key: Atrium defines and records this one.")
    static let meterDefinedOtherwise = ProblemType(
        "meter-defined-otherwise", 409, "The meter is defined otherwise",
        "What was recorded must not change its meaning: define a meter of another key.")
    static let usagePeriodRefused = ProblemType(
        "usage-period-refused", 400, "The period can't be answered for",
        "`from` lies before `to`, both lie on borders of the window, and not too many windows lie between them.")
    static let usageRefused = ProblemType(
        "usage-refused", 422, "The usage event can't be recorded", "`code` says why, for programs.")
    static let usageConflict = ProblemType(
        "usage-conflict", 409, "Another usage event has this source and id",
        "It was recorded with other content. New usage needs a new id; an event is never changed.")
    static let tooManyMeters = ProblemType(
        "too-many-meters", 422, "The batch names too many meters", "Nothing was recorded: send it in parts.")
}

extension MeteringError: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .unknownMeter(let key): Problem(.unknownMeter, "There is no meter \(key).")
        case .builtInMeter(let key): Problem(.builtInMeter, "The meter \(key) is recorded by Atrium itself.")
        case .definedOtherwise(let definition):
            Problem(
                .meterDefinedOtherwise,
                "The meter \(definition.key) is a \(definition.aggregation.rawValue) of \(definition.unit).")
        case .tooManyMeters(let limit): Problem(.tooManyMeters, "A batch names at most \(limit) meters.")
        case .emptyPeriod: Problem(.usagePeriodRefused, "from must lie before to.")
        case .unalignedPeriod(let time, let window):
            Problem(
                .usagePeriodRefused,
                "\(time) lies within a \(window.rawValue), which begins at \(window.start(of: time)) "
                    + "and ends at \(window.end(from: window.start(of: time))), in UTC.")
        case .tooManyWindows(let count, let limit):
            Problem(
                .usagePeriodRefused,
                "The period has \(count) windows, more than \(limit); ask for a shorter one or a longer window.")
        }
    }
}

extension UsageRefusal: ProblemConvertible {
    package var problem: Problem {
        let type: ProblemType = if case .conflict = self { .usageConflict } else { .usageRefused }
        return Problem(type, description, extensions: [.init(name: "code", value: .string(code))])
    }
}

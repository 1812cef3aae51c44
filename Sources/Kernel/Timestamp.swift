import Foundation

/// A moment in UTC, to the microsecond, as PostgreSQL keeps it.
public struct Timestamp: Hashable, Sendable {
    public let microsecondsSinceEpoch: Int64

    @inlinable
    public init(microsecondsSinceEpoch: Int64) {
        self.microsecondsSinceEpoch = microsecondsSinceEpoch
    }

    @inlinable
    public func advanced(by duration: Duration) -> Timestamp {
        let (seconds, attoseconds) = duration.components
        return Timestamp(
            microsecondsSinceEpoch: microsecondsSinceEpoch + seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }

    public func duration(since earlier: Timestamp) -> Duration {
        .microseconds(microsecondsSinceEpoch - earlier.microsecondsSinceEpoch)
    }
}

extension Timestamp: Comparable {
    public static func < (left: Self, right: Self) -> Bool {
        left.microsecondsSinceEpoch < right.microsecondsSinceEpoch
    }
}

/// The time of day, handed in so that tests can set it.
public struct WallClock: Sendable {
    public let now: @Sendable () -> Timestamp

    public init(now: @escaping @Sendable () -> Timestamp) {
        self.now = now
    }

    public static let system = WallClock {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microsecondsSinceEpoch: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}

// MARK: RFC 3339

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with a trailing `Z`; fraction digits only as far as they are not zero.
    public var description: String { String(decoding: ascii, as: UTF8.self) }

    /// The description's bytes.
    public var ascii: [UInt8] {
        let (days, inDay) = floorDivide(microsecondsSinceEpoch, 86_400_000_000)
        let date = CivilDate(daysSinceEpoch: days)
        let (seconds, fraction) = inDay.quotientAndRemainder(dividingBy: 1_000_000)
        var text: [UInt8] = []
        text.reserveCapacity(32)
        text.append(digits: date.year, 4)
        text.append(UInt8(ascii: "-"))
        text.append(digits: date.month, 2)
        text.append(UInt8(ascii: "-"))
        text.append(digits: date.day, 2)
        text.append(UInt8(ascii: "T"))
        text.append(digits: seconds / 3600, 2)
        text.append(UInt8(ascii: ":"))
        text.append(digits: seconds / 60 % 60, 2)
        text.append(UInt8(ascii: ":"))
        text.append(digits: seconds % 60, 2)
        if fraction != 0 {
            text.append(UInt8(ascii: "."))
            text.append(digits: fraction, 6)
            while text.last == UInt8(ascii: "0") { text.removeLast() }
        }
        text.append(UInt8(ascii: "Z"))
        return text
    }

    /// Reads RFC 3339, section 5.6, any offset; digits past the microsecond are cut; a leap second reads as the next
    /// second's beginning.
    public init?(_ text: some StringProtocol) {
        var reader = DigitReader(Array(text.utf8))
        guard let year = reader.digits(4), reader.take("-"), let month = reader.digits(2), reader.take("-"),
            let day = reader.digits(2), reader.take("T", "t", " "), let hour = reader.digits(2), reader.take(":"),
            let minute = reader.digits(2), reader.take(":"), let second = reader.digits(2)
        else { return nil }
        var fraction: Int64 = 0
        if reader.take(".") {
            guard let read = reader.fraction(places: 6) else { return nil }
            fraction = read
        }
        var offset: Int64 = 0
        if !reader.take("Z", "z") {
            let west = reader.peek("-")
            guard reader.take("+", "-"), let hours = reader.digits(2), reader.take(":"), let minutes = reader.digits(2),
                hours < 24, minutes < 60
            else { return nil }
            offset = (hours * 60 + minutes) * (west ? -60 : 60)
        }
        let date = CivilDate(year: year, month: month, day: day)
        guard reader.atEnd, (1...12).contains(month), day >= 1, day <= date.daysInMonth, hour < 24, minute < 60,
            second <= 60
        else { return nil }
        let seconds = date.daysSinceEpoch * 86_400 + hour * 3600 + minute * 60 + second - offset
        self.init(microsecondsSinceEpoch: seconds * 1_000_000 + fraction)
    }
}

extension Timestamp: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = Self(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an RFC 3339 time")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

private func floorDivide(_ value: Int64, _ divisor: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
}

extension [UInt8] {
    /// Writes a number with at least so many digits; more where the number has them, and a sign where it is negative.
    fileprivate mutating func append(digits value: Int64, _ width: Int) {
        var power: UInt64 = 1
        for _ in 1..<width { power *= 10 }
        var rest = value.magnitude
        if value < 0 { append(UInt8(ascii: "-")) }
        while rest / power >= 10 { power *= 10 }
        while power > 0 {
            append(UInt8(ascii: "0") + UInt8(rest / power))
            rest %= power
            power /= 10
        }
    }
}

/// A day of the proleptic Gregorian calendar.
private struct CivilDate {
    var year: Int64
    var month: Int64
    var day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        (self.year, self.month, self.day) = (year, month, day)
    }

    /// Counts from 1 March of the year 0, so that the leap day ends its year and 400 years are one cycle of 146,097 days.
    init(daysSinceEpoch: Int64) {
        let (cycle, dayOfCycle) = floorDivide(daysSinceEpoch + 719_468, 146_097)
        let yearOfCycle = (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shifted + 2) / 5 + 1
        month = shifted < 10 ? shifted + 3 : shifted - 9
        year = yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSinceEpoch: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let (cycle, yearOfCycle) = floorDivide(shiftedYear, 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfCycle = yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear
        return cycle * 146_097 + dayOfCycle - 719_468
    }

    var daysInMonth: Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

private struct DigitReader {
    let bytes: [UInt8]
    var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var atEnd: Bool { at == bytes.count }

    func peek(_ character: Unicode.Scalar) -> Bool {
        at < bytes.count && bytes[at] == UInt8(ascii: character)
    }

    mutating func take(_ choices: Unicode.Scalar...) -> Bool {
        guard choices.contains(where: { peek($0) }) else { return false }
        at += 1
        return true
    }

    mutating func digit() -> Int64? {
        guard at < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[at]) else { return nil }
        defer { at += 1 }
        return Int64(bytes[at] - UInt8(ascii: "0"))
    }

    mutating func digits(_ count: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<count {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    mutating func fraction(places: Int) -> Int64? {
        guard var value = digit() else { return nil }
        var read = 1
        while let digit = digit() {
            if read < places { value = value * 10 + digit }
            read += 1
        }
        while read < places {
            value *= 10
            read += 1
        }
        return value
    }
}

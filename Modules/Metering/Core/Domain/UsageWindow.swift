package import Kernel

/// How usage is cut in time; windows begin on whole minutes, hours and days of UTC.
package enum UsageWindow: String, CaseIterable, Hashable, Sendable {
    case minute, hour, day

    package var microseconds: Int64 {
        switch self {
        case .minute: 60_000_000
        case .hour: 3_600_000_000
        case .day: 86_400_000_000
        }
    }

    /// Where the window that holds this moment begins.
    package func start(of time: Timestamp) -> Timestamp {
        let past = time.microsecondsSinceEpoch % microseconds
        return Timestamp(
            microsecondsSinceEpoch: time.microsecondsSinceEpoch - (past < 0 ? past + microseconds : past))
    }

    package func end(from start: Timestamp) -> Timestamp {
        Timestamp(microsecondsSinceEpoch: start.microsecondsSinceEpoch + microseconds)
    }
}

/// The time that a question is about: from its beginning up to, and without, its end, in whole windows.
///
/// A period that cuts a window in two is refused: its first or last figure would look whole and not be.
package struct UsagePeriod: Hashable, Sendable {
    package static let windowLimit: Int64 = 1500

    package let from: Timestamp
    package let to: Timestamp
    package let window: UsageWindow

    package init(from: Timestamp, to: Timestamp, window: UsageWindow) throws(MeteringError) {
        guard from < to else { throw .emptyPeriod }
        for time in [from, to] where window.start(of: time) != time { throw .unalignedPeriod(time, window) }
        let count = (to.microsecondsSinceEpoch - from.microsecondsSinceEpoch) / window.microseconds
        guard count <= Self.windowLimit else { throw .tooManyWindows(count, limit: Self.windowLimit) }
        self.from = from
        self.to = to
        self.window = window
    }

    /// Where each window begins.
    package var starts: [Timestamp] {
        stride(from: from.microsecondsSinceEpoch, to: to.microsecondsSinceEpoch, by: Int(window.microseconds))
            .map { Timestamp(microsecondsSinceEpoch: $0) }
    }
}

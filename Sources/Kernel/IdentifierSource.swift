public import Foundation
import Synchronization

/// Where new identifiers come from: UUIDv7 (RFC 9562, section 5.7), so that keys arrive roughly in the order of time.
public struct IdentifierSource: Sendable {
    private let make: @Sendable () -> UUID

    public init(_ make: @escaping @Sendable () -> UUID) {
        self.make = make
    }

    public func next<Kind>(_ kind: Identifier<Kind>.Type = Identifier<Kind>.self) -> Identifier<Kind> {
        Identifier(make())
    }

    /// Identifiers of one process never repeat and never go back, even within a millisecond or when the clock steps back.
    public static func version7(clock: WallClock = .system) -> IdentifierSource {
        let counter = MonotonicCounter()
        return IdentifierSource { counter.next(at: clock.now()) }
    }

    public static let system = IdentifierSource.version7()
}

/// 48 bits of milliseconds, then a 12-bit fraction of the millisecond that only ever grows (method 3 of RFC 9562,
/// section 6.2), then 62 random bits.
private final class MonotonicCounter: Sendable {
    private let last = Mutex<UInt64>(0)

    func next(at now: Timestamp) -> UUID {
        let microseconds = UInt64(max(0, now.microsecondsSinceEpoch))
        let (milliseconds, rest) = microseconds.quotientAndRemainder(dividingBy: 1000)
        let wanted = milliseconds << 12 | (rest << 12) / 1000
        let tick = last.withLock { last in
            last = max(last + 1, wanted)
            return last
        }
        let high = (tick >> 12) << 16 | 0x7000 | (tick & 0xFFF)
        let low = UInt64.random(in: .min ... .max) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        var bytes = (high.bigEndian, low.bigEndian)
        return withUnsafeBytes(of: &bytes) { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }
}

import Foundation
import Kernel
import Testing

@Suite("Timestamps")
struct TimestampTests {
    /// From the year 1 to 9999, evenly spread by a fixed generator.
    private var moments: [Int64] {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        return (0..<5000).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let span: UInt64 = 253_402_300_799 + 62_135_596_800
            return Int64((state >> 11) % span) - 62_135_596_800
        }
    }

    @Test("whole seconds are written and read as Foundation does it")
    func againstFoundation() throws {
        // Foundation goes by the Julian calendar before 1582; RFC 3339 does not.
        for seconds in moments where seconds > -12_000_000_000 {
            let moment = Timestamp(microsecondsSinceEpoch: seconds * 1_000_000)
            let date = Date(timeIntervalSince1970: TimeInterval(seconds))
            #expect(moment.description == date.formatted(.iso8601))
            #expect(Timestamp(moment.description) == moment)
        }
    }

    @Test("what is written is read back, to the microsecond")
    func roundTrip() {
        for (index, seconds) in moments.enumerated() {
            let moment = Timestamp(microsecondsSinceEpoch: seconds * 1_000_000 + Int64(index * 199 % 1_000_000))
            #expect(Timestamp(moment.description) == moment, "\(moment)")
        }
    }

    @Test("writing keeps the order", arguments: [0, 1, 10, 100_000, 999_999])
    func ordered(fraction: Int64) {
        let texts = moments.sorted().map { Timestamp(microsecondsSinceEpoch: $0 * 1_000_000 + fraction).description }
        #expect(texts == texts.sorted())
    }

    @Test(
        "offsets, fractions and letters are read",
        arguments: [
            ("1985-04-12T23:20:50.52Z", 482_196_050_520_000), ("1996-12-19T16:39:57-08:00", 851_042_397_000_000),
            ("1990-12-31T23:59:60Z", 662_688_000_000_000), ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130_000),
            ("2026-01-01t00:00:00z", 1_767_225_600_000_000), ("2026-01-01 00:00:00.1234567Z", 1_767_225_600_123_456),
            ("1970-01-01T00:00:00+23:59", -86_340_000_000), ("2000-02-29T00:00:00Z", 951_782_400_000_000),
        ] as [(String, Int64)])
    func read(text: String, microseconds: Int64) {
        #expect(Timestamp(text)?.microsecondsSinceEpoch == microseconds)
    }

    @Test(
        "what is no RFC 3339 time is refused",
        arguments: [
            "", "2026", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00Z ", "+2026-01-01T00:00:00Z",
            "26-01-01T00:00:00Z", "2026-1-1T00:00:00Z", "２０２６-01-01T00:00:00Z", "2026-01-01T00:00:00ZZ",
        ])
    func refused(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("time goes on by a duration, and a duration lies between two times")
    func arithmetic() {
        let start = Timestamp(microsecondsSinceEpoch: 1_000_000)
        let later = start.advanced(by: .milliseconds(1500))
        #expect(later.microsecondsSinceEpoch == 2_500_000)
        #expect(later.duration(since: start) == .milliseconds(1500))
        #expect(start.advanced(by: .seconds(-2)).microsecondsSinceEpoch == -1_000_000)
        #expect(start < later)
    }

    @Test("the system's clock agrees with Foundation's to the second")
    func now() {
        let seconds = Double(WallClock.system.now().microsecondsSinceEpoch) / 1_000_000
        #expect(abs(seconds - Date().timeIntervalSince1970) < 5)
    }

    @Test("timestamps survive Codable, and other text does not")
    func codable() throws {
        let moments = [Timestamp(microsecondsSinceEpoch: 1_767_225_600_123_456)]
        #expect(try JSONDecoder().decode([Timestamp].self, from: JSONEncoder().encode(moments)) == moments)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([Timestamp].self, from: Data("[\"now\"]".utf8)) }
    }
}

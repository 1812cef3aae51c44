import Foundation
import Kernel
import Synchronization
import Testing

@Suite("Identifiers")
struct IdentifierTests {
    private func bytes(_ uuid: UUID) -> [UInt8] { withUnsafeBytes(of: uuid.uuid) { Array($0) } }

    @Test("a new identifier is a UUIDv7 that begins with the milliseconds")
    func bits() {
        let source = IdentifierSource.version7(
            clock: WallClock { Timestamp(microsecondsSinceEpoch: 0x0123_4567_89AB * 1000 + 500) })
        let bytes = bytes(source.next(TenantID.self).uuid)
        #expect(bytes.prefix(6).elementsEqual([0x01, 0x23, 0x45, 0x67, 0x89, 0xAB]))
        #expect(bytes[6] >> 4 == 7)
        #expect(bytes[8] >> 6 == 0b10)
        // Half a millisecond is half of twelve bits.
        #expect(UInt16(bytes[6] & 0x0F) << 8 | UInt16(bytes[7]) == 0x800)
    }

    @Test("identifiers of one source only grow, also while the clock stands still or steps back")
    func monotonic() {
        let clock = Mutex<Int64>(1_700_000_000_000_000)
        let source = IdentifierSource.version7(
            clock: WallClock { Timestamp(microsecondsSinceEpoch: clock.withLock { $0 }) })
        var last: EventID = source.next()
        for step in 0..<20_000 {
            clock.withLock { $0 += step % 3 == 0 ? -1000 : (step % 3 == 1 ? 0 : 700) }
            let next: EventID = source.next()
            #expect(last < next)
            last = next
        }
    }

    @Test("identifiers made by many tasks at once all differ")
    func concurrent() async {
        let all = await withTaskGroup(of: [EventID].self) { group in
            for _ in 0..<8 { group.addTask { (0..<2000).map { _ in IdentifierSource.system.next() } } }
            var all: Set<EventID> = []
            for await some in group { all.formUnion(some) }
            return all
        }
        #expect(all.count == 16_000)
    }

    @Test("a clock before 1970 makes identifiers all the same")
    func beforeTheEpoch() {
        let source = IdentifierSource.version7(clock: WallClock { Timestamp(microsecondsSinceEpoch: -5) })
        let id: EventID = source.next()
        #expect(bytes(id.uuid)[6] >> 4 == 7)
    }

    @Test("text is read in either case and written in lower case")
    func text() throws {
        let id = try #require(TenantID("0190A5C4-7E1B-7D3A-9F52-3C8E1A6B7D20"))
        #expect(id.description == "0190a5c4-7e1b-7d3a-9f52-3c8e1a6b7d20")
        #expect(TenantID(id.description) == id)
    }

    @Test("random UUIDs are written as Foundation writes them, in lower case")
    func canonical() {
        for _ in 0..<500 {
            let uuid = UUID()
            #expect(uuid.canonical == uuid.uuidString.lowercased())
        }
    }

    @Test(
        "what is no canonical UUID is refused",
        arguments: [
            "", "0190a5c47e1b7d3a9f523c8e1a6b7d20", "{0190a5c4-7e1b-7d3a-9f52-3c8e1a6b7d20}",
            "0190a5c4-7e1b-7d3a-9f52-3c8e1a6b7d2", "0190a5c4-7e1b-7d3a-9f52-3c8e1a6b7d2g",
            "0190a5c4_7e1b_7d3a_9f52_3c8e1a6b7d20", " 190a5c4-7e1b-7d3a-9f52-3c8e1a6b7d20",
        ])
    func refused(text: String) {
        #expect(TenantID(text) == nil)
    }

    @Test("identifiers are ordered by their bytes and survive Codable")
    func orderAndCodable() throws {
        let low = try #require(UserID("00000000-0000-7000-8000-000000000001"))
        let high = try #require(UserID("80000000-0000-7000-8000-000000000000"))
        #expect(low < high && !(high < low) && !(low < low))
        #expect(try JSONDecoder().decode([UserID].self, from: JSONEncoder().encode([low, high])) == [low, high])
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([UserID].self, from: Data("[\"x\"]".utf8)) }
    }
}

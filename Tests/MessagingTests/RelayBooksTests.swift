import Foundation
import Kafka
import Kernel
import Testing

@testable import Messaging

/// The books of a relay that holds all shards, with one event in each transaction.
@Suite("A relay's books, while the database is on its way")
struct RelayBooksTests {
    private let tenant: TenantID = IdentifierSource.system.next()

    private func books(shards: Range<Int16> = 0..<8) -> RelayBooks {
        var books = RelayBooks(ShardLimits())
        books.holds(
            shards.map {
                RelayBooks.Held(
                    shard: $0, isKept: true, position: ShardPosition(main: .before(0)), publishedBefore: nil)
            }, among: 1)
        return books
    }

    /// The answer to a reading: an event of the transaction.
    private func find(_ transaction: UInt64, _ reading: ShardReading, _ books: inout RelayBooks, more: Bool = true) {
        var finding = ShardFinding()
        finding.main = [
            OutboxRow(
                shard: reading.shard, position: OutboxPosition(transactionID: transaction, position: 1),
                tenantID: tenant, eventID: IdentifierSource.system.next()
            ) { KafkaRecord(topic: "t", value: nil) }
        ]
        // As if the window ended there: there may be more.
        finding.windowEnd = more ? finding.main[0].position : nil
        books.found(
            finding, for: reading, horizon: transaction + 1, begun: transaction + 1,
            at: Timestamp(microsecondsSinceEpoch: 0))
    }

    private func letter() -> DeadLetter {
        .outgoing(KafkaRecord(topic: "t", value: nil), eventID: IdentifierSource.system.next(), reason: "too large")
    }

    @Test("keep what was published while the cursor before it was being saved")
    func savedBehind() throws {
        var books = books(shards: 0..<1)
        let first = try #require(books.readings().first)
        find(5, first, &books)
        let epoch = try #require(books.start().first).epoch
        find(6, try #require(books.readings().first), &books)
        books.sent(0, epoch, .taken(refused: [letter()]))
        let saving = books.unsaved()
        #expect(saving.map(\.position.main.transactionID) == [5])
        #expect(saving.map(\.letters.count) == [1])

        #expect(books.start().count == 1)
        books.sent(0, epoch, .taken(refused: [letter(), letter()]))
        books.saved(saving, kept: [0])
        #expect(books.unsaved().map(\.position.main.transactionID) == [6])
        #expect(books.unsaved().map(\.letters.count) == [2], "a letter that was saved is not saved again")

        books.saved(books.unsaved(), kept: [0])
        #expect(books.unsaved().isEmpty)
    }

    @Test("leave out what was read behind a page that has to be read again")
    func stoppedMeanwhile() throws {
        var books = books(shards: 0..<1)
        find(5, try #require(books.readings().first), &books)
        let epoch = try #require(books.start().first).epoch
        let reading = try #require(books.readings().first)
        books.sent(0, epoch, .stopped)
        find(6, reading, &books)
        #expect(books.start().isEmpty)

        books.expectMore()
        let again = try #require(books.readings().first)
        #expect(again.from.main == .before(0))
        find(5, again, &books)
        #expect(books.start().map(\.events[0].position.transactionID) == [5])
    }

    @Test("ask the database at once for a shard that has nothing to send, and else for several together")
    func trips() throws {
        var books = books()
        #expect(books.isWorthATrip)
        for reading in books.readings() { find(5, reading, &books) }
        let pages = books.start()
        #expect(pages.count == 8 && books.isWorthATrip, "each has room for a page beside the one with the broker")
        for reading in books.readings().dropLast(4) { find(6, reading, &books) }
        #expect(!books.isWorthATrip, "four of eight can wait for the others")
        books.sent(pages[0].shard, pages[0].epoch, .taken(refused: []))
        #expect(books.isWorthATrip, "five of eight can't")
    }
}

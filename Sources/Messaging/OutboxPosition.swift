/// A place in the order of commits.
struct OutboxPosition: Hashable, Sendable {
    /// PostgreSQL's `xid8`.
    let transactionID: UInt64
    let position: Int64

    init(transactionID: UInt64, position: Int64) {
        self.transactionID = transactionID
        self.position = position
    }

    /// - Parameter transactionID: as PostgreSQL writes it.
    init(_ transactionID: String, _ position: Int64) throws {
        guard let number = UInt64(transactionID) else { throw UnreadableTransactionID(text: transactionID) }
        self.init(transactionID: number, position: position)
    }

    /// Before every event of this transaction and of those that follow.
    static func before(_ transactionID: UInt64) -> OutboxPosition {
        OutboxPosition(transactionID: transactionID, position: 0)
    }
}

extension OutboxPosition: Comparable {
    static func < (left: Self, right: Self) -> Bool {
        (left.transactionID, left.position) < (right.transactionID, right.position)
    }
}

struct UnreadableTransactionID: Error {
    let text: String
}

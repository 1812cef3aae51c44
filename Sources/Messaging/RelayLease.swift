import Foundation
import Kernel
import Postgres
import Tenancy

/// The right to publish one context's outbox, held by one process at a time and lost when it is not renewed.
struct RelayLease: Sendable {
    let schema: String
    let owner: UUID
    let duration: Duration

    /// Takes or renews the lease; answers how far publishing has come, or nothing where another process holds it.
    func acquire(_ transaction: CrossTenantTransaction) async throws -> OutboxPosition? {
        let rows = try await transaction.rowsWriting(
            """
            UPDATE \(unsafeSQL: schema).outbox_cursor
            SET owner = \(owner), lease_until = clock_timestamp() + \(seconds) * interval '1 second'
            WHERE owner = \(owner) OR lease_until < clock_timestamp()
            RETURNING transaction_id::text, position
            """)
        guard let row = rows.first else { return nil }
        let (transactionID, position) = try row.decode((String, Int64).self)
        return OutboxPosition(transactionID: transactionID, position: position)
    }

    /// Moves the cursor and renews the lease; false where the lease has been lost.
    func advance(to position: OutboxPosition, in transaction: CrossTenantTransaction) async throws -> Bool {
        let rows = try await transaction.rowsWriting(
            """
            UPDATE \(unsafeSQL: schema).outbox_cursor
            SET transaction_id = \(position.transactionID)::text::xid8, position = \(position.position),
                lease_until = clock_timestamp() + \(seconds) * interval '1 second'
            WHERE owner = \(owner)
            RETURNING true
            """)
        return !rows.isEmpty
    }

    func release(_ transaction: CrossTenantTransaction) {
        transaction.enqueue(
            """
            UPDATE \(unsafeSQL: schema).outbox_cursor SET owner = NULL, lease_until = '-infinity'
            WHERE owner = \(owner)
            """)
    }

    private var seconds: Double { duration / .seconds(1) }
}

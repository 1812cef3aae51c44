import Foundation
import Postgres

/// One batch of a backfill as its file has it, and what the batches go along.
package struct BackfillDefinition: Hashable, Sendable {
    /// What a key can be.
    package enum KeyType: String, CaseIterable, Hashable, Sendable {
        case uuid, text, bigint, integer
    }

    /// What the statement is made of.
    enum Piece: Hashable, Sendable {
        case text(String)
        case after
        case limit
    }

    package let context: String
    /// Of the file, without its ending.
    let title: String
    package let table: String
    package let key: String
    package let type: KeyType
    /// How many keys a transaction takes.
    package let batch: Int
    let pieces: [Piece]

    static let batches = 1...10_000

    /// As it is called everywhere: `orders/0001_totals`.
    package var name: String { "\(context)/\(title)" }

    /// - Parameter after: the last key of the batch before, as text.
    func statement(after: String?, limit: Int) -> SQL {
        pieces.reduce(into: "" as SQL) { sql, piece in
            switch piece {
            case .text(let text): sql.append(SQL(unsafeSQL: text))
            case .after: sql.append("(\(after)::\(unsafeSQL: type.rawValue))" as SQL)
            case .limit: sql.append(limit)
            }
        }
    }

    /// The last of the keys in the order of the key's column, and whether it is behind `after`.
    func last(of keys: [String], after: String?) -> SQL {
        // The empty half lends the column's type and collation to the keys.
        """
        SELECT gone.key::text, coalesce(gone.key > (\(after)::\(unsafeSQL: type.rawValue)), true) FROM (
            SELECT \(identifier: key) AS key FROM \(unsafeSQL: context).\(unsafeSQL: table) WHERE false
            UNION ALL SELECT given::\(unsafeSQL: type.rawValue) FROM unnest(\(keys)) AS given
        ) AS gone ORDER BY gone.key DESC LIMIT 1
        """
    }

    /// The keys that a batch returned, as text.
    func keys(in rows: Rows) throws -> [String] {
        guard rows.columns.count == 1 else {
            throw BackfillFault.returnsNoKeys(name, key: key, columns: rows.columns.count)
        }
        switch type {
        case .uuid: return try rows.map { try $0.decode(UUID.self).uuidString.lowercased() }
        case .text: return try rows.map { try $0.decode(String.self) }
        case .bigint: return try rows.map { String(try $0.decode(Int64.self)) }
        case .integer: return try rows.map { String(try $0.decode(Int32.self)) }
        }
    }
}

/// The statement does something else than a batch; what it did was taken back.
package enum BackfillFault: Error, Hashable, CustomStringConvertible {
    case returnsNoKeys(String, key: String, columns: Int)
    case standsStill(String)

    package var description: String {
        switch self {
        case .returnsNoKeys(let name, let key, let columns):
            "\(name) returns \(columns) columns; let it return \(key) of the rows it went through, and nothing else"
        case .standsStill(let name):
            "\(name) returned no key behind :after, and would go on for ever; let it take keys greater than :after only"
        }
    }
}

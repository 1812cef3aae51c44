/// One statement of a flight.
package struct Statement: Sendable {
    package let sql: SQL
    /// Whether the server keeps the parsed statement for the next time; not worth it where the text differs every time.
    package let prepare: Bool
    /// Whether it sets something for the transaction alone, by its author's word and by its first word.
    let isLocal: Bool

    /// - Parameter isLocal: says of a `SET LOCAL` or `SET TRANSACTION` whose whole text is the program's own that it
    ///   leaves nothing in the session; it has no effect on other statements.
    package init(_ sql: SQL, prepare: Bool = true, isLocal: Bool = false) {
        self.sql = sql
        self.prepare = prepare
        self.isLocal = isLocal && (sql.text.hasPrefix("SET LOCAL ") || sql.text.hasPrefix("SET TRANSACTION "))
    }

    /// Why the statement can't be sent at all.
    var flaw: String? {
        if sql.bindings.count > Bindings.maximumCount {
            return "a statement has at most \(Bindings.maximumCount) parameters: pass arrays and unnest them"
        }
        // libpq takes the text up to the first zero byte: the rest would vanish in silence.
        if sql.text.utf8.contains(0) { return "a statement holds a zero byte" }
        return nil
    }
}

/// One statement of a flight.
package struct Statement: Sendable {
    package let sql: SQL
    /// Whether the server keeps the parsed statement for the next time; not worth it where the text differs every time.
    package let prepare: Bool

    package init(_ sql: SQL, prepare: Bool = true) {
        self.sql = sql
        self.prepare = prepare
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

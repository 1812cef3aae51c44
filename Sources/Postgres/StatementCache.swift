/// Which statements the server keeps prepared on one connection: bounded, and the least recently used goes first.
struct StatementCache: ~Copyable {
    final class Entry {
        let name: String
        let text: String
        let types: [PostgresType]
        fileprivate(set) var lastUse: UInt64

        init(name: String, text: String, types: [PostgresType], lastUse: UInt64) {
            self.name = name
            self.text = text
            self.types = types
            self.lastUse = lastUse
        }
    }

    enum Use {
        case prepared(Entry)
        /// Prepare it first.
        case prepare(Entry)
        /// The same text is kept with parameters of other types.
        case unprepared
    }

    private var entries: [String: Entry] = [:]
    private var uses: UInt64 = 0
    private var names: UInt64 = 0
    private let capacity: Int
    /// Names that the server still holds and that nobody will use again.
    private(set) var evicted: [String] = []

    init(capacity: Int) {
        self.capacity = capacity
    }

    var count: Int { entries.count }

    mutating func use(_ sql: SQL) -> Use {
        guard capacity > 0 else { return .unprepared }
        uses += 1
        if let entry = entries[sql.text] {
            guard sql.bindings.match(entry.types) else { return .unprepared }
            entry.lastUse = uses
            return .prepared(entry)
        }
        if entries.count >= capacity { evictOldest() }
        names += 1
        let entry = Entry(name: "s\(names)", text: sql.text, types: sql.bindings.types, lastUse: uses)
        entries[sql.text] = entry
        return .prepare(entry)
    }

    /// The server doesn't have it: it was never prepared, or the preparation failed.
    mutating func forget(_ entry: Entry) {
        if entries[entry.text] === entry { entries[entry.text] = nil }
    }

    mutating func forgetAll() {
        entries = [:]
        evicted = []
    }

    mutating func takeEvicted() -> [String] {
        defer { evicted = [] }
        return evicted
    }

    // A scan, because it happens only once the bound is reached, and beats keeping a list in order at every use.
    private mutating func evictOldest() {
        guard let oldest = entries.values.min(by: { $0.lastUse < $1.lastUse }) else { return }
        entries[oldest.text] = nil
        evicted.append(oldest.name)
    }
}

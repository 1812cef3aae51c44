/// What the files of a scope have made so far, as far as the verdict on a later statement depends on it.
struct LintHistory {
    /// A `CHECK (column IS NOT NULL)`, by its table and name.
    private struct Proof {
        let column: String
        var isValid: Bool
    }

    private var proofs: [String: [String: Proof]] = [:]
    /// Made by this file, so that nobody uses them yet.
    private(set) var newTables: Set<String> = []
    private(set) var newIndexes: Set<String> = []
    private(set) var newObjects: Set<String> = []
    /// Existing tables that this file has locked more than a validation does.
    private(set) var lockedTables: Set<String> = []

    mutating func beginFile() {
        newTables = []
        newIndexes = []
        newObjects = []
        lockedTables = []
    }

    mutating func create(table: String) { newTables.insert(table) }
    mutating func create(index: String) { newIndexes.insert(index) }
    mutating func create(object: String) { newObjects.insert(object) }
    mutating func lock(_ table: String) { lockedTables.insert(table) }

    mutating func add(check name: String, notNull column: String, to table: String, isValid: Bool) {
        proofs[table, default: [:]][name] = Proof(column: column, isValid: isValid)
    }

    mutating func validate(_ name: String, of table: String) {
        proofs[table]?[name]?.isValid = true
    }

    mutating func drop(_ name: String, of table: String) {
        proofs[table]?[name] = nil
    }

    func proves(notNull column: String, of table: String) -> Bool {
        proofs[table]?.values.contains { $0.column == column && $0.isValid } ?? false
    }
}

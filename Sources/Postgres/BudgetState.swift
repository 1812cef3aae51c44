/// Counts the connections of many pools, and lines up those pools that want another one.
///
/// Each pool stands in the line once, however many connections it wants, and takes turns with the others: whoever
/// joins waits for at most one permit to each other pool.
struct BudgetState: ~Copyable {
    let limit: Int
    private(set) var used = 0
    /// Those of the used ones that are about to be given back.
    private(set) var leaving = 0
    private(set) var waiting = 0
    private var wants: [Int: ArraySlice<Int>] = [:]
    private var line = Queue<Int>()

    init(limit: Int) {
        self.limit = limit
    }

    /// Whether somebody has to give a connection up for those who wait.
    var isShort: Bool { waiting > leaving + limit - used }

    mutating func want(_ pool: Int, entry: Int) {
        if wants[pool] == nil { line.append(pool) }
        wants[pool, default: ArraySlice<Int>()].append(entry)
        waiting += 1
    }

    /// Whose turn it is to open a connection, where there is room for one.
    mutating func next() -> (pool: Int, entry: Int)? {
        guard used < limit, let pool = line.popFirst(), let entry = wants[pool]?.popFirst() else { return nil }
        if wants[pool]?.isEmpty == true { wants[pool] = nil } else { line.append(pool) }
        waiting -= 1
        used += 1
        return (pool, entry)
    }

    mutating func leave() { leaving += 1 }

    mutating func release(isLeaving: Bool) {
        used -= 1
        if isLeaving { leaving -= 1 }
    }
}

/// How far the work on one partition has come without a gap: work is begun in the order of offsets and finishes in any.
///
/// Pure. What may be stored is the last of the finished ones that nothing unfinished stands before.
struct Watermark<Item> {
    private struct Work {
        let offset: Int64
        let item: Item
        var isFinished = false
    }

    private var work: [Work] = []
    /// Everything before this place is stored; cut off now and then.
    private var head = 0

    /// Begun, and not below the mark yet.
    var count: Int { work.count - head }
    var isEmpty: Bool { count == 0 }

    /// Offsets only grow; they may leave out some, which a log does that was compacted.
    mutating func begin(_ offset: Int64, _ item: Item) {
        precondition(work.count == head || work[work.count - 1].offset < offset, "an offset is begun twice")
        work.append(Work(offset: offset, item: item))
    }

    /// The item up to which everything is finished, where that has moved.
    mutating func finish(_ offset: Int64) -> Item? {
        guard let index = index(of: offset) else { return nil }
        work[index].isFinished = true
        guard index == head else { return nil }
        var last: Item?
        while head < work.count, work[head].isFinished {
            last = work[head].item
            head += 1
        }
        if head > 256, head * 2 > work.count {
            work.removeFirst(head)
            head = 0
        }
        return last
    }

    private func index(of offset: Int64) -> Int? {
        var low = head
        var high = work.count
        while low < high {
            let middle = (low + high) / 2
            if work[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        return low < work.count && work[low].offset == offset ? low : nil
    }
}

import Kafka

/// Where a group begins with a partition, judged by what everybody remembers of it.
enum StreamStart: Hashable {
    case at(Int64)
    /// Messages that were never taken in are gone.
    case gap(expected: Int64?, cause: String)

    /// - Parameter recorded: the next offset by the context's own books.
    init(standing: PartitionStanding, recorded: Int64?) {
        let range = standing.first...max(standing.first, standing.end)
        switch (standing.committed, recorded) {
        case (nil, nil):
            // A group that is new here: what it begins with is written down, also where it takes nothing in.
            self = .at(range.lowerBound)
        case (nil, let recorded?):
            self = .gap(
                expected: recorded,
                cause: "the broker has forgotten how far the group was; what it holds may be another log")
        case (let committed?, let recorded):
            let furthest = max(committed, recorded ?? 0)
            if furthest > range.upperBound {
                self = .gap(
                    expected: committed, cause: "the log ends before what was taken in; it was made anew or cut off")
            } else if committed < range.lowerBound {
                self = .gap(expected: committed, cause: "the broker no longer holds what was not taken in yet")
            } else {
                self = .at(committed)
            }
        }
    }
}

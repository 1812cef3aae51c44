import Kernel

/// A place in a topic, as the command line says it.
enum EventPlace: Hashable, Sendable {
    case beginning
    case end
    /// By the records' own time, in all partitions.
    case time(Timestamp)
    case offset(partition: Int32, Int64)

    /// Takes `beginning`, `end`, an RFC 3339 time, or `partition:offset`.
    init?(_ text: String) {
        switch text {
        case "beginning": self = .beginning
        case "end": self = .end
        default:
            if let time = Timestamp(text) {
                self = .time(time)
                return
            }
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, let partition = Int32(parts[0]), partition >= 0, let offset = Int64(parts[1]),
                offset >= 0
            else { return nil }
            self = .offset(partition: partition, offset)
        }
    }

    /// The partition that it is in, where it is in one alone.
    var partition: Int32? {
        if case .offset(let partition, _) = self { partition } else { nil }
    }

    static let forms = "beginning, end, a time such as 2026-11-21T09:30:00Z, or partition:offset"
}

/// Places that don't go together, or lie where the topic has none.
struct UnusablePlaces: Error, CustomStringConvertible {
    let description: String
}

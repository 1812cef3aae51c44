/// A binary heap: the least element is at hand, the rest in no particular order.
struct Heap<Element: Comparable>: ~Copyable {
    private(set) var elements: [Element] = []

    var count: Int { elements.count }
    var first: Element? { elements.first }

    mutating func insert(_ element: Element) {
        elements.append(element)
        var index = elements.count - 1
        while index > 0, case let parent = (index - 1) / 2, elements[index] < elements[parent] {
            elements.swapAt(index, parent)
            index = parent
        }
    }

    mutating func popFirst() -> Element? {
        guard let first = elements.first else { return nil }
        elements.swapAt(0, elements.count - 1)
        elements.removeLast()
        siftDown(from: 0)
        return first
    }

    mutating func keep(where condition: (Element) -> Bool) {
        elements.removeAll { !condition($0) }
        for index in stride(from: elements.count / 2, through: 0, by: -1) { siftDown(from: index) }
    }

    mutating func removeAll() {
        elements = []
    }

    private mutating func siftDown(from start: Int) {
        var index = start
        while true {
            var least = index
            for child in (2 * index + 1)...(2 * index + 2) where child < elements.count {
                if elements[child] < elements[least] { least = child }
            }
            guard least != index else { return }
            elements.swapAt(index, least)
            index = least
        }
    }
}

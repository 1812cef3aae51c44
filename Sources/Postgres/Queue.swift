/// First in, first out, without moving what stays at every step.
struct Queue<Element>: ~Copyable {
    private var storage: [Element?] = []
    private var head = 0

    var count: Int { storage.count - head }
    var isEmpty: Bool { head == storage.count }
    var first: Element? { isEmpty ? nil : storage[head] }

    mutating func append(_ element: Element) {
        storage.append(element)
    }

    @discardableResult
    mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        let element = storage[head]
        storage[head] = nil
        head += 1
        if head == storage.count {
            storage.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 64, head > storage.count / 2 {
            storage.removeFirst(head)
            head = 0
        }
        return element
    }

    func visit(_ body: (Element) -> Void) {
        for index in head..<storage.count { body(storage[index]!) }
    }

    func contains(where condition: (Element) -> Bool) -> Bool {
        (head..<storage.count).contains { condition(storage[$0]!) }
    }

    func first(where condition: (Element) -> Bool) -> Element? {
        for index in head..<storage.count where condition(storage[index]!) { return storage[index] }
        return nil
    }

    mutating func removeAll(where condition: (Element) -> Bool) {
        storage.removeFirst(head)
        head = 0
        storage.removeAll { condition($0!) }
    }

    mutating func takeAll() -> [Element] {
        defer {
            storage = []
            head = 0
        }
        return storage[head...].map { $0! }
    }
}

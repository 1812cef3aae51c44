import Kernel

/// Cursor pagination: `limit` and `cursor` in the query, `items` and `nextCursor` in the answer.
///
/// The key is what rows are ordered by, and where the next page goes on. List the constant among the endpoint's
/// parameters, and read it with `try call[constant]`.
package struct Paging<Key: Sendable>: DeclaredParameter {
    private let key: Shape<Key>
    private let limit: Shape<Int64>
    private let standard: Int64
    package let specifications: [ParameterSpecification]

    package init(by key: Shape<Key>, limit range: ClosedRange<Int64> = 1...100, standard: Int64 = 20) {
        self.key = key
        self.standard = standard
        limit = .integer(range)
        specifications = [
            ParameterSpecification(
                name: "limit", place: .query, isRequired: false, about: "How many items a page holds at most.",
                schema: [
                    "type": "integer", "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound),
                    "default": .integer(standard),
                ],
                definitions: Definitions(), example: nil),
            ParameterSpecification(
                name: "cursor", place: .query, isRequired: false,
                about: "`nextCursor` of the page before. Opaque: one that was changed is refused.",
                schema: ["type": "string", "maxLength": 2048], definitions: Definitions(), example: nil),
        ]
    }

    package func parse(_ input: ParameterInput, into violations: inout [Violation]) -> PageRequest<Key>? {
        let before = violations.count
        var count = standard
        if let text = input.text(specifications[0]) {
            var inner: [Violation] = []
            if let given = limit.decode((try? JSON.parse(text)) ?? .string(text), into: &inner) { count = given }
            violations += inner.map { Violation($0.detail, at: .parameter("limit")) }
        }
        var after: Key?
        if let text = input.text(specifications[1]) {
            after = input.cursors.open(text, operation: input.operation, as: key)
            if after == nil {
                violations.append(
                    Violation("is not a cursor that this list gave out", at: .parameter("cursor")))
            }
        }
        guard violations.count == before else { return nil }
        let (key, cursors, operation) = (key, input.cursors, input.operation)
        return PageRequest(limit: Int(count), after: after) { cursors.seal($0, operation: operation, as: key) }
    }
}

/// The page that a caller asks for.
package struct PageRequest<Key: Sendable>: Sendable {
    package let limit: Int
    /// The key of the last item that the caller has; nil asks for the first page.
    package let after: Key?
    let seal: @Sendable (Key) -> String

    /// How many rows to ask the database for: one more than the page holds tells whether there is another page.
    package var fetch: Int { limit + 1 }

    /// The page out of up to `fetch` rows.
    package func page<Item: Sendable>(_ rows: [Item], key: (Item) -> Key) -> Page<Item> {
        guard rows.count > limit else { return Page(items: rows, nextCursor: nil) }
        let items = Array(rows.prefix(limit))
        return Page(items: items, nextCursor: items.last.map { seal(key($0)) })
    }
}

package struct Page<Item: Sendable>: Sendable {
    package let items: [Item]
    /// Nil on the last page.
    package let nextCursor: String?

    package init(items: [Item], nextCursor: String?) {
        self.items = items
        self.nextCursor = nextCursor
    }
}

extension Shape {
    package static func page<Item: Sendable>(of item: Shape<Item>) -> Shape where Value == Page<Item> {
        .output(
            item.name.map { "\($0)Page" }, "",
            Field("items", .array(of: item)) { $0.items },
            Field(
                optional: "nextCursor", .string(), "Where the next page begins; null on the last.",
                example: "eyJrIjoi…"
            ) { $0.nextCursor }
        )
    }
}

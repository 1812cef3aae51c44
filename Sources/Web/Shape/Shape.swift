package import Kernel

/// Reads, writes and describes one JSON shape: a request body, a response body or a part of one.
package struct Shape<Value: Sendable>: Sendable {
    package typealias Decode = @Sendable (JSON, inout [Violation]) -> Value?
    package typealias Encode = @Sendable (Value, inout JSONWriter) -> Void

    /// The name under `#/components/schemas`, where the shape has one.
    package let name: String?
    /// JSON Schema 2020-12; a reference where the shape has a name.
    package let schema: JSON
    /// The schemas of every named shape in this one, itself included.
    package let definitions: Definitions
    package let example: JSON

    private let read: Decode?
    private let write: Encode

    /// `read` is nil for what is only ever written.
    package init(
        name: String? = nil, schema: JSON, definitions: Definitions = Definitions(), example: JSON, read: Decode?,
        write: @escaping Encode
    ) {
        self.name = name
        if let name {
            self.schema = ["$ref": "#/components/schemas/\(name)"]
            self.definitions = definitions.adding(name, schema)
        } else {
            self.schema = schema
            self.definitions = definitions
        }
        self.example = example
        self.read = read
        self.write = write
    }

    package var isReadable: Bool { read != nil }

    /// The value, or nil after at least one violation was added.
    package func decode(_ json: JSON, into violations: inout [Violation]) -> Value? {
        guard let read else {
            violations.append(Violation("is written by the server and never read"))
            return nil
        }
        return read(json, &violations)
    }

    package func encode(_ value: Value, into writer: inout JSONWriter) {
        write(value, &writer)
    }

    /// The same shape with another example.
    package func example(_ example: JSON) -> Shape {
        Shape(copying: self, example: example)
    }

    private init(copying other: Shape, example: JSON) {
        name = other.name
        schema = other.schema
        definitions = other.definitions
        self.example = example
        read = other.read
        write = other.write
    }
}

/// Schemas by the name they have under `#/components/schemas`.
package struct Definitions: Sendable {
    package private(set) var schemas: [String: JSON] = [:]
    /// Names that two different schemas claim.
    package private(set) var conflicts: Set<String> = []

    package init() {}

    package func adding(_ name: String, _ schema: JSON) -> Definitions {
        var copy = self
        if let there = copy.schemas[name], there != schema { copy.conflicts.insert(name) }
        copy.schemas[name] = schema
        return copy
    }

    package mutating func merge(_ other: Definitions) {
        for (name, schema) in other.schemas {
            if let there = schemas[name], there != schema { conflicts.insert(name) }
            schemas[name] = schema
        }
        conflicts.formUnion(other.conflicts)
    }

    package func merging(_ other: Definitions) -> Definitions {
        var copy = self
        copy.merge(other)
        return copy
    }
}

extension Shape {
    /// The shape of a type that wraps this one; `make` returns nil for what the type doesn't take.
    package func converted<New: Sendable>(
        orSay complaint: String, _ make: @escaping @Sendable (Value) -> New?,
        back: @escaping @Sendable (New) -> Value
    ) -> Shape<New> {
        let old = self
        let read: Shape<New>.Decode = { json, violations in
            guard let value = old.decode(json, into: &violations) else { return nil }
            guard let new = make(value) else {
                violations.append(Violation(complaint))
                return nil
            }
            return new
        }
        return Shape<New>(
            schema: schema, definitions: definitions, example: example, read: isReadable ? read : nil,
            write: { value, writer in old.encode(back(value), into: &writer) })
    }

    /// The same shape, taking only the values that pass.
    package func checked(orSay complaint: String, _ isFine: @escaping @Sendable (Value) -> Bool) -> Shape {
        converted(orSay: complaint, { isFine($0) ? $0 : nil }, back: { $0 })
    }

    /// `null` stands for nil.
    package var nullable: Shape<Value?> {
        let inner = self
        let read: Shape<Value?>.Decode = { json, violations in
            if case .null = json { return .some(nil) }
            return inner.decode(json, into: &violations).map { .some($0) }
        }
        return Shape<Value?>(
            schema: ["anyOf": [schema, ["type": "null"]]], definitions: definitions, example: example,
            read: isReadable ? read : nil,
            write: { value, writer in
                if let value { inner.encode(value, into: &writer) } else { writer.null() }
            })
    }

    package static func array<Element: Sendable>(
        of element: Shape<Element>, count: ClosedRange<Int> = 0...10_000
    ) -> Shape where Value == [Element] {
        let read: Decode = { json, violations in
            guard case .array(let items) = json else {
                violations.append(.mistyped("an array", json))
                return nil
            }
            guard count.contains(items.count) else {
                violations.append(Violation("must have \(described(count)) elements, but has \(items.count)"))
                return nil
            }
            var values: [Element] = []
            values.reserveCapacity(items.count)
            for (index, item) in items.enumerated() {
                let before = violations.count
                if let value = element.decode(item, into: &violations) { values.append(value) }
                violations.nest(since: before, inside: String(index))
            }
            return values.count == items.count ? values : nil
        }
        return Shape(
            schema: [
                "type": "array", "items": element.schema, "minItems": .integer(count.lowerBound),
                "maxItems": .integer(count.upperBound),
            ],
            definitions: element.definitions, example: .array([element.example]),
            read: element.isReadable ? read : nil,
            write: { values, writer in
                writer.beginArray()
                for value in values { element.encode(value, into: &writer) }
                writer.endArray()
            })
    }
}

func described(_ range: ClosedRange<Int>) -> String {
    range.lowerBound == range.upperBound ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
}

package import Kernel

/// Something in the path or the query that an endpoint reads: declared once, documented, checked before the handler runs.
package protocol DeclaredParameter: Sendable {
    associatedtype Value: Sendable
    var specifications: [ParameterSpecification] { get }
    /// The value, or nil after at least one violation was added.
    func parse(_ input: ParameterInput, into violations: inout [Violation]) -> Value?
}

package struct ParameterSpecification: Sendable {
    package enum Place: String, Sendable {
        case path
        case query
    }

    let name: String
    let place: Place
    let isRequired: Bool
    let about: String
    let schema: JSON
    let definitions: Definitions
    let example: JSON?
}

/// One value of the path or the query. Keep it in a constant, list it in the endpoint, read it with `try call[constant]`.
package struct Parameter<Value: Sendable>: DeclaredParameter {
    package let specifications: [ParameterSpecification]
    private let read: @Sendable (String?, inout [Violation]) -> Value?

    package static func path(
        _ name: String, _ shape: Shape<Value>, _ about: String = "", example: JSON? = nil
    ) -> Parameter {
        Parameter(name, .path, shape.schema, shape.definitions, example ?? shape.example, about, isRequired: true) {
            require(name, shape, $0, &$1)
        }
    }

    /// A query parameter that must be there.
    package static func query(
        required name: String, _ shape: Shape<Value>, _ about: String = "", example: JSON? = nil
    ) -> Parameter {
        Parameter(name, .query, shape.schema, shape.definitions, example ?? shape.example, about, isRequired: true) {
            require(name, shape, $0, &$1)
        }
    }

    package static func query<Inner: Sendable>(
        _ name: String, _ shape: Shape<Inner>, _ about: String = "", example: JSON? = nil
    ) -> Parameter where Value == Inner? {
        Parameter(name, .query, shape.schema, shape.definitions, example, about, isRequired: false) {
            text, violations in
            guard let text else { return .some(nil) }
            return require(name, shape, text, &violations).map { .some($0) }
        }
    }

    package static func query(
        _ name: String, _ shape: Shape<Value>, default value: Value, _ about: String = "", example: JSON? = nil
    ) -> Parameter {
        var writer = JSONWriter()
        shape.encode(value, into: &writer)
        var schema = shape.schema
        if case .object(var object) = schema, let written = try? JSON.parse(writer.bytes) {
            object["default"] = written
            schema = .object(object)
        }
        return Parameter(name, .query, schema, shape.definitions, example, about, isRequired: false) {
            text, violations in
            guard let text else { return value }
            return require(name, shape, text, &violations)
        }
    }

    private init(
        _ name: String, _ place: ParameterSpecification.Place, _ schema: JSON, _ definitions: Definitions,
        _ example: JSON?, _ about: String, isRequired: Bool,
        read: @escaping @Sendable (String?, inout [Violation]) -> Value?
    ) {
        specifications = [
            ParameterSpecification(
                name: name, place: place, isRequired: isRequired, about: about, schema: schema,
                definitions: definitions, example: example)
        ]
        self.read = read
    }

    package func parse(_ input: ParameterInput, into violations: inout [Violation]) -> Value? {
        read(input.text(specifications[0]), &violations)
    }
}

/// Reads the text as the JSON that the shape takes: a string, or a bare number or boolean.
private func require<Value>(
    _ name: String, _ shape: Shape<Value>, _ text: String?, _ violations: inout [Violation]
) -> Value? {
    guard let text else {
        violations.append(Violation("is missing", at: .parameter(name)))
        return nil
    }
    let json: JSON
    switch shape.schema["type"]?.string {
    case "integer", "number", "boolean":
        guard let value = try? JSON.parse(text) else {
            violations.append(Violation("must be a JSON \(shape.schema["type"]?.string ?? "")", at: .parameter(name)))
            return nil
        }
        json = value
    default: json = .string(text)
    }
    var inner: [Violation] = []
    let value = shape.decode(json, into: &inner)
    violations += inner.map { Violation($0.detail, at: .parameter(name)) }
    return value
}

/// The path and query of one request, as far as its parameters need them.
package struct ParameterInput: Sendable {
    let operation: String
    let path: [(name: String, value: String)]
    let query: [(name: String, value: String)]
    let cursors: CursorSeal

    func text(_ specification: ParameterSpecification) -> String? {
        let source = specification.place == .path ? path : query
        return source.first { $0.name == specification.name }?.value
    }
}

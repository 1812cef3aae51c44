package import Kernel

/// One member of an object: its name, its shape, and where an owner keeps it.
package struct Field<Owner: Sendable, Value: Sendable>: Sendable {
    let name: String
    let schema: JSON
    let definitions: Definitions
    let example: JSON
    let isReadable: Bool
    /// What absence stands for; nil where the member must be there.
    let absent: Value?
    let decode: Shape<Value>.Decode
    let encode: @Sendable (Owner, inout JSONWriter) -> Void

    private init(
        name: String, shape: Shape<Value>, about: String, example: JSON?, absent: Value?,
        of owner: @escaping @Sendable (Owner) -> Value
    ) {
        self.name = name
        self.definitions = shape.definitions
        self.example = example ?? shape.example
        self.isReadable = shape.isReadable
        self.absent = absent
        self.schema = described(shape.schema, about)
        self.decode = { json, violations in shape.decode(json, into: &violations) }
        self.encode = { value, writer in shape.encode(owner(value), into: &writer) }
    }

    /// A member that must be there.
    package init(
        _ name: String, _ shape: Shape<Value>, _ about: String = "", example: JSON? = nil,
        of owner: @escaping @Sendable (Owner) -> Value
    ) {
        self.init(name: name, shape: shape, about: about, example: example, absent: nil, of: owner)
    }

    /// A member that may be absent or null in what is read, and is written as null.
    package init<Inner: Sendable>(
        optional name: String, _ shape: Shape<Inner>, _ about: String = "", example: JSON? = nil,
        of owner: @escaping @Sendable (Owner) -> Inner?
    ) where Value == Inner? {
        self.init(
            name: name, shape: shape.nullable, about: about, example: example, absent: .some(.none), of: owner)
    }
}

private func described(_ schema: JSON, _ about: String) -> JSON {
    guard !about.isEmpty, case .object(var object) = schema else { return schema }
    object["description"] = .string(about)
    return .object(object)
}

extension Shape {
    /// An object that is read and written. Unknown members are violations; every violation is reported, not the first.
    package static func object<each F: Sendable>(
        _ name: String?, _ about: String = "", _ field: repeat Field<Value, each F>,
        make: @escaping @Sendable (repeat each F) -> Value
    ) -> Shape {
        var outline = ObjectOutline()
        repeat outline.add(each field, isRequired: (each field).absent == nil)
        let names = Set(outline.names)
        let read: Decode = { json, violations in
            guard case .object(let object) = json else {
                violations.append(.mistyped("an object", json))
                return nil
            }
            var found = 0
            let values = (repeat decodeField(each field, object.members, &found, &violations))
            if found != object.members.count {
                for member in object.members where !names.contains(member.name) {
                    violations.append(Violation("is not a known field").inside(member.name))
                }
                return nil
            }
            for isMissing in repeat isNil(each values) {
                if isMissing { return nil }
            }
            return make(repeat (each values)!)
        }
        return Shape(
            name: name, schema: outline.schema(about: about, isClosed: true), definitions: outline.definitions,
            example: outline.example, read: outline.isReadable ? read : nil,
            write: { value, writer in
                writer.beginObject()
                repeat encodeField(each field, value, &writer)
                writer.endObject()
            })
    }

    /// An object that the server writes and never reads.
    package static func output<each F: Sendable>(
        _ name: String?, _ about: String = "", _ field: repeat Field<Value, each F>
    ) -> Shape {
        var outline = ObjectOutline()
        repeat outline.add(each field, isRequired: true)
        return Shape(
            name: name, schema: outline.schema(about: about, isClosed: false), definitions: outline.definitions,
            example: outline.example, read: nil,
            write: { value, writer in
                writer.beginObject()
                repeat encodeField(each field, value, &writer)
                writer.endObject()
            })
    }
}

private func decodeField<Owner, F>(
    _ field: Field<Owner, F>, _ members: [JSONObject.Member], _ found: inout Int, _ violations: inout [Violation]
) -> F? {
    for member in members where member.name == field.name {
        found += 1
        let before = violations.count
        let value = field.decode(member.value, &violations)
        violations.nest(since: before, inside: field.name)
        return value
    }
    if let absent = field.absent { return absent }
    violations.append(Violation("is missing").inside(field.name))
    return nil
}

private func isNil<T>(_ value: T?) -> Bool {
    if case .none = value { true } else { false }
}

private func encodeField<Owner, F>(_ field: Field<Owner, F>, _ owner: Owner, _ writer: inout JSONWriter) {
    writer.name(field.name)
    field.encode(owner, &writer)
}

/// What the fields of an object add up to in its schema.
private struct ObjectOutline {
    var names: [String] = []
    var definitions = Definitions()
    var isReadable = true
    private var properties = JSONObject()
    private var examples = JSONObject()
    private var required: [JSON] = []

    mutating func add<Owner, F>(_ field: Field<Owner, F>, isRequired: Bool) {
        names.append(field.name)
        properties[field.name] = field.schema
        examples[field.name] = field.example
        if isRequired { required.append(.string(field.name)) }
        definitions.merge(field.definitions)
        if !field.isReadable { isReadable = false }
    }

    var example: JSON { .object(examples) }

    func schema(about: String, isClosed: Bool) -> JSON {
        var schema = JSONObject()
        schema["type"] = "object"
        if !about.isEmpty { schema["description"] = .string(about) }
        schema["properties"] = .object(properties)
        if !required.isEmpty { schema["required"] = .array(required) }
        if isClosed { schema["additionalProperties"] = false }
        return .object(schema)
    }
}

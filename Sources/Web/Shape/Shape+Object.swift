package import Kernel

/// One member of an object: its name, its shape, and where an owner keeps it.
package struct Field<Owner: Sendable, Value: Sendable>: Sendable {
    fileprivate let outline: FieldOutline
    fileprivate let encode: @Sendable (Owner, inout JSONWriter) -> Void

    private init(
        name: String, shape: Shape<Value>, about: String, example: JSON?, absent: Value?,
        of owner: @escaping @Sendable (Owner) -> Value
    ) {
        let read: FieldOutline.Read = { members, found, violations in
            for member in members where member.name == name {
                found += 1
                let before = violations.count
                let value = shape.decode(member.value, into: &violations)
                violations.nest(since: before, inside: name)
                guard let value else { return nil }
                return value
            }
            if let absent { return absent }
            violations.append(Violation("is missing").inside(name))
            return nil
        }
        outline = FieldOutline(
            name: name, schema: described(shape.schema, about), definitions: shape.definitions,
            example: example ?? shape.example, isReadable: shape.isReadable, isRequired: absent == nil, read: read)
        encode = { value, writer in
            writer.name(name)
            shape.encode(owner(value), into: &writer)
        }
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

/// What there is to a field but the types of its owner and its value.
///
/// Objects read through this, because a request that looks up generic metadata for each of its fields spends most of
/// its decoding on that.
private struct FieldOutline: Sendable {
    /// The value, or nil after at least one violation was added.
    typealias Read = @Sendable ([JSONObject.Member], _ found: inout Int, inout [Violation]) -> Any?

    let name: String
    let schema: JSON
    let definitions: Definitions
    let example: JSON
    let isReadable: Bool
    let isRequired: Bool
    let read: Read
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
        var fields: [FieldOutline] = []
        repeat fields.append((each field).outline)
        let outline = ObjectOutline(fields)
        let read: Decode = { json, violations in
            guard let values = outline.read(json, &violations) else { return nil }
            var index = 0
            return make(repeat take(values, &index, as: (each F).self))
        }
        return Shape(
            name: name, schema: outline.schema(about: about, isClosed: true), definitions: outline.definitions,
            example: outline.example, read: outline.isReadable ? read : nil, write: writing(repeat each field))
    }

    /// An object that the server writes and never reads.
    package static func output<each F: Sendable>(
        _ name: String?, _ about: String = "", _ field: repeat Field<Value, each F>
    ) -> Shape {
        var fields: [FieldOutline] = []
        repeat fields.append((each field).outline)
        let outline = ObjectOutline(fields, allRequired: true)
        return Shape(
            name: name, schema: outline.schema(about: about, isClosed: false), definitions: outline.definitions,
            example: outline.example, read: nil, write: writing(repeat each field))
    }
}

/// One closure that writes all fields: each calls the one before it.
private func writing<Owner, each F>(
    _ field: repeat Field<Owner, each F>
) -> @Sendable (Owner, inout JSONWriter) -> Void {
    var write: @Sendable (Owner, inout JSONWriter) -> Void = { _, writer in writer.beginObject() }
    for encode in repeat (each field).encode {
        let before = write
        write = { owner, writer in
            before(owner, &writer)
            encode(owner, &writer)
        }
    }
    let all = write
    return { owner, writer in
        all(owner, &writer)
        writer.endObject()
    }
}

private func take<F>(_ values: [Any], _ index: inout Int, as type: F.Type) -> F {
    defer { index += 1 }
    return values[index] as! F
}

/// What the fields of an object add up to.
private struct ObjectOutline: Sendable {
    private let fields: [FieldOutline]
    private let names: Set<String>
    private let required: [JSON]
    let definitions: Definitions

    init(_ fields: [FieldOutline], allRequired: Bool = false) {
        self.fields = fields
        names = Set(fields.map(\.name))
        required = fields.filter { allRequired || $0.isRequired }.map { .string($0.name) }
        definitions = fields.reduce(into: Definitions()) { $0.merge($1.definitions) }
    }

    var isReadable: Bool { fields.allSatisfy(\.isReadable) }

    var example: JSON { .object(JSONObject(fields.map { .init(name: $0.name, value: $0.example) })) }

    /// The values of all fields in their order, or nil after at least one violation was added.
    func read(_ json: JSON, _ violations: inout [Violation]) -> [Any]? {
        guard case .object(let object) = json else {
            violations.append(.mistyped("an object", json))
            return nil
        }
        var found = 0
        var values: [Any] = []
        values.reserveCapacity(fields.count)
        for field in fields {
            if let value = field.read(object.members, &found, &violations) { values.append(value) }
        }
        if found != object.members.count {
            for member in object.members where !names.contains(member.name) {
                violations.append(Violation("is not a known field").inside(member.name))
            }
            return nil
        }
        return values.count == fields.count ? values : nil
    }

    func schema(about: String, isClosed: Bool) -> JSON {
        var schema = JSONObject()
        schema["type"] = "object"
        if !about.isEmpty { schema["description"] = .string(about) }
        schema["properties"] = .object(JSONObject(fields.map { .init(name: $0.name, value: $0.schema) }))
        if !required.isEmpty { schema["required"] = .array(required) }
        if isClosed { schema["additionalProperties"] = false }
        return .object(schema)
    }
}

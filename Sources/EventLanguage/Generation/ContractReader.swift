import Kernel

/// Reads what Swift needs to know from a schema, and refuses what it could not keep.
struct ContractReader {
    let schema: EventSchema

    private var root: SchemaReader { SchemaReader(path: schema.path, pointer: "", json: schema.document) }

    /// Keywords that say which values are allowed within a type; the type itself is the same without them.
    private static let constraints: Set<String> = [
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
        "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
    ]
    private static let annotations: Set<String> = [
        "title", "description", "examples", "default", "$comment", "x-swift-type", "x-known-values", "x-removed",
    ]
    private static let rootAnnotations: Set<String> = ["$schema", "$id", "x-deprecated", "x-changes"]

    func contract() throws(SchemaMistake) -> EventContract {
        let expected = typeName(schema.fact) + "V\(schema.version)"
        guard schema.title == expected else {
            throw SchemaMistake(schema.path, "/title", "is not \(expected), the name that the file asks for")
        }
        guard root.json["type"]?.string == "object" else { throw root.mistake("an event is an object") }
        let properties = try properties(of: root, besides: Self.rootAnnotations)
        guard properties.contains(where: { $0.name == "tenantId" && $0.typeName == "TenantID" }) else {
            throw root.mistake("an event requires the property tenantId with x-swift-type TenantID")
        }
        return EventContract(schema: schema, properties: properties)
    }

    private func properties(
        of schema: SchemaReader, besides more: Set<String> = []
    ) throws(SchemaMistake) -> [ContractProperty] {
        try refuseOthers(
            than: Self.annotations.union(more).union(["type", "properties", "required", "additionalProperties"]),
            in: schema)
        // A reader ignores what it does not know, whatever a schema says.
        if let additional = schema.member("additionalProperties"), additional.json != true {
            throw additional.mistake("an object with properties leaves room for more of them: leave this out")
        }
        let required = try schema.texts("required") ?? []
        let members = try schema.members("properties")
        for name in required where !members.contains(where: { $0.name == name }) {
            throw schema.mistake("requires \(name), which is none of its properties")
        }
        var properties: [ContractProperty] = []
        for (name, member) in members {
            guard name.wholeMatch(of: /[a-z][A-Za-z0-9]*/) != nil else {
                throw member.mistake("the property's name is no lower camel case identifier")
            }
            properties.append(
                ContractProperty(
                    name: name, type: try type(of: member), isOptional: !required.contains(name),
                    documentation: try member.optional("description")))
        }
        return properties
    }

    private func type(of schema: SchemaReader) throws(SchemaMistake) -> ContractType {
        if let kind = schema.member("type"), kind.json.string == nil {
            throw kind.mistake("several types in one place have no Swift type: give the property one type")
        }
        let kind = try schema.required("type")
        if let named = try schema.optional("x-swift-type") {
            guard named.wholeMatch(of: /[A-Z][A-Za-z0-9]*/) != nil else {
                throw schema.mistake("x-swift-type \(named) is no name of a type")
            }
            return .named(named)
        }
        let usual = Self.annotations.union(Self.constraints).union(["type"])
        switch kind {
        case "string": return try text(schema, usual)
        case "integer":
            try refuseOthers(than: usual.union(["format"]), in: schema)
            return .named("Int64")
        case "boolean":
            try refuseOthers(than: usual, in: schema)
            return .named("Bool")
        case "array":
            try refuseOthers(than: usual.union(["items"]), in: schema)
            guard let items = schema.member("items") else { throw schema.mistake("an array needs items") }
            return .array(try type(of: items))
        case "object": return try object(schema, usual)
        case "number":
            throw schema.mistake("numbers lose digits on their way: use an integer, or text with a decimal number")
        default: throw schema.mistake("\(kind) has no Swift type")
        }
    }

    private func text(_ schema: SchemaReader, _ usual: Set<String>) throws(SchemaMistake) -> ContractType {
        try refuseOthers(than: usual.union(["format", "enum"]), in: schema)
        let closed = try schema.texts("enum")
        let open = try schema.texts("x-known-values")
        if let values = closed ?? open {
            guard closed == nil || open == nil else {
                throw schema.mistake("enum allows no other values, x-known-values does: use one of them")
            }
            for value in values where value.wholeMatch(of: /[a-z][a-zA-Z0-9]*([._-][a-zA-Z0-9]+)*/) == nil {
                throw schema.mistake("the value \(value) gives no Swift name")
            }
            return .declared(
                ContractDeclaration(
                    name: try schema.required("title"), documentation: try schema.optional("description"),
                    body: closed == nil ? .openValues(values) : .closedValues(values)))
        }
        switch try schema.optional("format") {
        case "date-time": return .named("Timestamp")
        case "uuid": throw schema.mistake("whose identifier is this? Name its type with x-swift-type")
        default: return .named("String")
        }
    }

    private func object(_ schema: SchemaReader, _ usual: Set<String>) throws(SchemaMistake) -> ContractType {
        if schema.member("properties") == nil, let values = schema.member("additionalProperties") {
            try refuseOthers(than: usual.union(["additionalProperties", "propertyNames"]), in: schema)
            return .dictionary(try type(of: values))
        }
        return .declared(
            ContractDeclaration(
                name: try schema.required("title"), documentation: try schema.optional("description"),
                body: .structure(try properties(of: schema))))
    }

    private func refuseOthers(than known: Set<String>, in schema: SchemaReader) throws(SchemaMistake) {
        guard case .object(let object) = schema.json else { throw schema.mistake("is not an object") }
        for member in object.members where !known.contains(member.name) {
            throw (schema.member(member.name) ?? schema).mistake("contracts can't be generated from this keyword")
        }
    }
}

/// `order.placed` is `OrderPlaced`.
private func typeName(_ fact: String) -> String {
    fact.split { $0 == "." || $0 == "-" }.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
}

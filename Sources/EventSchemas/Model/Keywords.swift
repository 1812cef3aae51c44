/// Which keywords of JSON Schema 2020-12 say what.
enum Keywords {
    static let dialect = "https://json-schema.org/draft/2020-12/schema"

    /// Each holds one schema.
    static let schema: Set<String> = [
        "additionalProperties", "propertyNames", "unevaluatedProperties", "items", "contains", "unevaluatedItems",
        "not",
        "if", "then", "else", "contentSchema",
    ]
    /// Each holds a list of schemas.
    static let schemaList: Set<String> = ["allOf", "anyOf", "oneOf", "prefixItems"]
    /// Each holds schemas by name.
    static let schemaMap: Set<String> = [
        "properties", "patternProperties", "dependentSchemas", "$defs", "definitions",
    ]
    /// Lists whose order says nothing.
    static let sets: Set<String> = ["required", "type", "enum"]

    /// Says nothing about which documents are valid.
    static func isAnnotation(_ keyword: String) -> Bool {
        annotations.contains(keyword) || keyword.hasPrefix("x-")
    }

    private static let annotations: Set<String> = [
        "title", "description", "examples", "default", "deprecated", "readOnly", "writeOnly", "$comment", "$id",
        "$anchor", "$defs", "definitions",
    ]

    /// What the comparison has a rule for.
    static func isKnown(_ keyword: String) -> Bool {
        keyword == "properties" || Rule.judging(keyword: keyword) != .keyword
    }
}

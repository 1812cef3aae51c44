/// A kind of change that is judged. The name is what is printed, and never changes once it has been.
package enum Rule: String, Sendable, Hashable, CaseIterable {
    case annotation
    case dialect
    case reference
    case keyword
    case boolean = "boolean-schema"
    case type
    case `enum`
    case const
    case minimum
    case maximum
    case multipleOf = "multiple-of"
    case minLength = "min-length"
    case maxLength = "max-length"
    case pattern
    case format
    case content
    case propertyAdded = "property-added"
    case propertyRemoved = "property-removed"
    case required
    case additionalProperties = "additional-properties"
    case patternProperties = "pattern-properties"
    case propertyNames = "property-names"
    case minProperties = "min-properties"
    case maxProperties = "max-properties"
    case dependentRequired = "dependent-required"
    case dependentSchemas = "dependent-schemas"
    case unevaluatedProperties = "unevaluated-properties"
    case items
    case prefixItems = "prefix-items"
    case contains
    case minItems = "min-items"
    case maxItems = "max-items"
    case uniqueItems = "unique-items"
    case unevaluatedItems = "unevaluated-items"
    case allOf = "all-of"
    case anyOf = "any-of"
    case oneOf = "one-of"
    case not
    case conditional
    // What holds for the files of a published language, whatever the mode.
    case nameReserved = "name-reserved"
    case nameUnreserved = "name-unreserved"
    case versionDeleted = "version-deleted"
    case versionSkipped = "version-skipped"
    case deprecation
    case placement
}

extension Rule {
    /// Whether the rule is about one schema against another, and not about the files that hold them.
    package var comparesSchemas: Bool {
        switch self {
        case .nameReserved, .nameUnreserved, .versionDeleted, .versionSkipped, .deprecation, .placement: false
        default: true
        }
    }

    /// The rule that judges a change of this keyword.
    static func judging(keyword: String) -> Rule {
        if let rule = byKeyword[keyword] { return rule }
        return Keywords.isAnnotation(keyword) ? .annotation : .keyword
    }

    private static let byKeyword: [String: Rule] = [
        "$schema": .dialect, "$vocabulary": .dialect, "$ref": .reference, "$dynamicRef": .reference,
        "$dynamicAnchor": .reference, "$recursiveRef": .reference, "type": .type, "enum": .enum, "const": .const,
        "minimum": .minimum, "exclusiveMinimum": .minimum, "maximum": .maximum, "exclusiveMaximum": .maximum,
        "multipleOf": .multipleOf, "minLength": .minLength, "maxLength": .maxLength, "pattern": .pattern,
        "format": .format, "contentEncoding": .content, "contentMediaType": .content, "contentSchema": .content,
        "required": .required, "additionalProperties": .additionalProperties, "patternProperties": .patternProperties,
        "propertyNames": .propertyNames, "minProperties": .minProperties, "maxProperties": .maxProperties,
        "dependentRequired": .dependentRequired, "dependentSchemas": .dependentSchemas,
        "unevaluatedProperties": .unevaluatedProperties, "items": .items, "prefixItems": .prefixItems,
        "contains": .contains, "minContains": .contains, "maxContains": .contains, "minItems": .minItems,
        "maxItems": .maxItems, "uniqueItems": .uniqueItems, "unevaluatedItems": .unevaluatedItems, "allOf": .allOf,
        "anyOf": .anyOf, "oneOf": .oneOf, "not": .not, "if": .conditional, "then": .conditional, "else": .conditional,
    ]
}

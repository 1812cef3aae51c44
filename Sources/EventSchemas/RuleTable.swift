/// What each rule says, for people.
package struct RuleText: Sendable {
    package let rule: Rule
    /// What it looks at.
    package let about: String
    /// What breaks readers with the new schema, who meet documents of the old one.
    package let backward: String
    /// What breaks readers with the old schema, who meet documents of the new one.
    package let forward: String
    package let note: String

    fileprivate init(_ rule: Rule, _ about: String, _ backward: String, _ forward: String, _ note: String = "") {
        self.rule = rule
        self.about = about
        self.backward = backward
        self.forward = forward
        self.note = note
    }

    /// Every rule, in the order in which the table lists them.
    package static let all: [RuleText] = comparing + published

    private static let never = "nothing"
    private static let comparing: [RuleText] = [
        RuleText(
            .annotation, "title, description, examples, default, deprecated, $comment, $id, $defs, x-…", never, never,
            "A default doesn't put a value there, so that changing it changes no document."),
        RuleText(
            .type, "type", "a type that was allowed is gone", "a type is allowed that was not",
            "A whole number is a number."),
        RuleText(
            .enum, "enum", "a value that was listed is gone, or the list is new",
            "a value is listed that was not, or the list is gone",
            "A new value surprises readers who know the old list."),
        RuleText(.const, "const", "another value, or one where any was allowed", "another value, or any"),
        RuleText(
            .minimum, "minimum, exclusiveMinimum", "raised or new", "lowered or gone",
            "For whole numbers above 0 and from 1 are the same."),
        RuleText(.maximum, "maximum, exclusiveMaximum", "lowered or new", "raised or gone"),
        RuleText(
            .multipleOf, "multipleOf", "the old step is no multiple of the new",
            "the new step is no multiple of the old"),
        RuleText(.minLength, "minLength", "raised or new", "lowered or gone"),
        RuleText(.maxLength, "maxLength", "lowered or new", "raised or gone"),
        RuleText(
            .pattern, "pattern", "new; changed is undecided", "gone; changed is undecided",
            "Expressions are compared by their text, and not by what they match."),
        RuleText(
            .format, "format", "new, or not the same and not wider", "gone, or not the same and not narrower",
            "Taken for an assertion. uri is a uri-reference, email an idn-email, and so on."),
        RuleText(.content, "contentEncoding, contentMediaType, contentSchema", "new or changed", "gone or changed"),
        RuleText(
            .propertyAdded, "a new property", "old documents may hold anything under its name (STRICT, open object)",
            "old readers refuse unknown properties (STRICT, closed object)",
            "An optional property is compatible under LENIENT; one of schema `true` in an open object always."),
        RuleText(
            .propertyRemoved, "a property that is gone",
            "new readers refuse unknown properties (STRICT, closed object)",
            "new documents may hold anything under its name (STRICT, open object)",
            "Where it was required, `required` judges too."),
        RuleText(
            .required, "required", "a name more", "a name less",
            "With or without a default: a default doesn't satisfy `required`. Whatever the property's schema."),
        RuleText(
            .additionalProperties, "additionalProperties", "narrowed", "widened",
            "LENIENT: true and false are the same, and a schema for them is only compared with another."),
        RuleText(.patternProperties, "patternProperties", "a schema narrowed or new", "a schema widened or gone"),
        RuleText(.propertyNames, "propertyNames", "narrowed or new", "widened or gone"),
        RuleText(.minProperties, "minProperties", "raised or new", "lowered or gone"),
        RuleText(.maxProperties, "maxProperties", "lowered or new", "raised or gone"),
        RuleText(.dependentRequired, "dependentRequired", "a dependency more", "a dependency less"),
        RuleText(.dependentSchemas, "dependentSchemas", "a schema narrowed or new", "a schema widened or gone"),
        RuleText(
            .unevaluatedProperties, "unevaluatedProperties", "narrowed", "widened",
            "LENIENT: true and false are the same."),
        RuleText(
            .items, "items", "new, or false", "gone, or no longer false",
            "Changes inside are judged by their own rules."),
        RuleText(.prefixItems, "prefixItems", "a place more that had any element", "a place less"),
        RuleText(
            .contains, "contains, minContains, maxContains", "narrowed, more of it or less of it asked for",
            "widened, or less asked for"),
        RuleText(.minItems, "minItems", "raised or new", "lowered or gone"),
        RuleText(.maxItems, "maxItems", "lowered or new", "raised or gone"),
        RuleText(.uniqueItems, "uniqueItems", "turned on", "turned off"),
        RuleText(.unevaluatedItems, "unevaluatedItems", "narrowed", "widened"),
        RuleText(
            .allOf, "allOf", "a branch that asks for more (judged by what it asks for)", "a branch less, likewise",
            "A branch is taken as if its keywords stood beside the others."),
        RuleText(.anyOf, "anyOf", "a branch gone or narrowed", "a branch new or widened"),
        RuleText(
            .oneOf, "oneOf", "a branch gone or narrowed", "a branch new or widened",
            "Undecided unless the branches can be told apart, by type, const, enum, bounds or a required property."),
        RuleText(.not, "not", "new or wider; undecided unless nothing could be refused", "gone or narrower, likewise"),
        RuleText(
            .conditional, "if, then, else", "undecided unless both outcomes fit", "undecided unless both outcomes fit"),
        RuleText(.boolean, "a schema that is true or false", "false where something was allowed", "no longer false"),
        RuleText(
            .reference, "$ref, $dynamicRef", "undecided where it leads out of the document", "the same",
            "References inside the document are followed, also where they come back to themselves."),
        RuleText(.dialect, "$schema", "undecided unless both are JSON Schema 2020-12", "the same"),
        RuleText(
            .keyword, "a keyword that JSON Schema 2020-12 doesn't have", "undecided where new or changed",
            "undecided where gone or changed"),
    ]

    private static let published: [RuleText] = [
        RuleText(
            .nameUnreserved, "a property taken away from a published file", "its name is not listed in x-removed",
            "the same",
            "The list stands beside `properties`; what is on it stays on it."),
        RuleText(
            .nameReserved, "a property whose name was taken away earlier",
            "it is listed in x-removed, or is not what it was in the last version or state that had it", "the same"),
        RuleText(
            .versionDeleted, "a published file that is gone", "its x-deprecated is missing or its sunset has not come",
            "the same"),
        RuleText(.versionSkipped, "a new file", "its version is not the next one of its fact", "the same"),
        RuleText(
            .deprecation, "x-deprecated",
            "not {from, sunset, migration}, or the promised sunset is moved to an earlier time",
            "the same"),
        RuleText(.placement, "a file's path", "it is not <context>/<aggregate>.<fact>.v<N>.json", "the same"),
    ]

    /// The page that documents the rules.
    package static var page: String {
        func table(_ rules: [RuleText]) -> String {
            let head = "| rule | looks at | breaks BACKWARD | breaks FORWARD | |\n|---|---|---|---|---|\n"
            return head
                + rules.map { text in
                    "| `\(text.rule.rawValue)` | \(text.about) | \(text.backward) | \(text.forward) | \(text.note) |\n"
                }.joined()
        }
        return """
            # When a schema breaks its readers

            Made by `atrium schemas rules --page`; edit `Sources/EventSchemas/RuleTable.swift`.

            BACKWARD asks whether readers with the new schema take every document of the old one, FORWARD whether
            readers with the old schema take every document of the new one, FULL both. The TRANSITIVE modes ask it of
            every earlier state of the file, the others of the last. STRICT takes schemas at their word. LENIENT takes
            for granted that writers write no property their schema doesn't describe, and that readers pass over
            properties they don't know.

            What can't be decided is reported as `undecided`, with the reason, and counts as breaking.

            ## One schema against another

            \(table(comparing))
            ## The files of the published language, in every mode

            \(table(published))
            """
    }

    /// For a terminal: a rule a line, columns separated by tabs.
    package static var lines: [String] {
        ["rule\tlooks at\tbreaks BACKWARD\tbreaks FORWARD\tnote"]
            + all.map { [$0.rule.rawValue, $0.about, $0.backward, $0.forward, $0.note].joined(separator: "\t") }
    }
}

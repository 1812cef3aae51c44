/// One change between two schemas, and what it does.
package struct Finding: Sendable, Hashable {
    package let rule: Rule
    /// JSON Pointer (RFC 6901) into the new schema, or into the old where the place is gone.
    package let pointer: String
    package var backward: Verdict
    package var forward: Verdict
    package var reason: String

    package init(rule: Rule, pointer: String, backward: Verdict, forward: Verdict, reason: String) {
        self.rule = rule
        self.pointer = pointer
        self.backward = backward
        self.forward = forward
        self.reason = reason
    }

    package func verdict(in mode: CompatibilityMode) -> Verdict {
        mode.directions.map { $0 == .backward ? backward : forward }.reduce(.compatible, Verdict.worst)
    }
}

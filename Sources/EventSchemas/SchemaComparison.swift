import Kernel

/// Two schemas, one against the other.
package struct SchemaComparison: Sendable {
    /// Each change, in the order of the old schema and then of the new.
    package let findings: [Finding]

    package init(old: SchemaDocument, new: SchemaDocument, policy: CompatibilityPolicy) {
        var findings = SchemaDiff(old.node, new.node).changes.map { change in
            Finding(
                rule: change.rule, pointer: change.pointer, backward: .compatible, forward: .compatible,
                reason: change.rule == .annotation
                    ? "says nothing about which documents are valid"
                    : "every document of the one schema is one of the other, as far as this goes")
        }
        for direction in Direction.allCases {
            let merged = Dictionary(
                grouping: Self.obstacles(old, new, direction, policy), by: { Place(rule: $0.rule, pointer: $0.pointer) }
            )
            var unplaced = merged
            for index in findings.indices {
                let place = Place(rule: findings[index].rule, pointer: findings[index].pointer)
                if let obstacles = unplaced.removeValue(forKey: place) { findings[index].take(obstacles, direction) }
            }
            for obstacles in unplaced.values.sorted(by: { $0[0].pointer < $1[0].pointer }) {
                var finding = Finding(
                    rule: obstacles[0].rule, pointer: obstacles[0].pointer, backward: .compatible, forward: .compatible,
                    reason: "")
                finding.take(obstacles, direction)
                findings.append(finding)
            }
        }
        self.findings = findings
    }

    private struct Place: Hashable {
        let rule: Rule
        let pointer: String
    }

    private static func obstacles(
        _ old: SchemaDocument, _ new: SchemaDocument, _ direction: Direction, _ policy: CompatibilityPolicy
    ) -> [Obstacle] {
        if SameMeaning.holds(old.node, new.node) { return [] }
        let dialects = [old, new].compactMap { $0.root["$schema"] }
        if let other = dialects.first(where: { $0.string != Keywords.dialect }) {
            return [
                Obstacle(
                    rule: .dialect, pointer: "/$schema",
                    reason: "only JSON Schema 2020-12 can be compared, not \(other)",
                    verdict: .undecided)
            ]
        }
        let (writer, reader) = direction == .backward ? (old, new) : (new, old)
        var containment = Containment(direction, policy)
        containment.check(Conjunction(writer.node), in: Conjunction(reader.node))
        return containment.obstacles
    }

    package func verdict(in mode: CompatibilityMode) -> Verdict {
        findings.map { $0.verdict(in: mode) }.reduce(.compatible, Verdict.worst)
    }
}

extension Finding {
    fileprivate mutating func take(_ obstacles: [Obstacle], _ direction: Direction) {
        let verdict = obstacles.map(\.verdict).reduce(.compatible, Verdict.worst)
        let said = backward.breaks || forward.breaks ? [reason] : []
        switch direction {
        case .backward: backward = verdict
        case .forward: forward = verdict
        }
        reason = obstacles.map(\.reason).reduce(into: said) { reasons, reason in
            if !reasons.contains(reason) { reasons.append(reason) }
        }.joined(separator: "; ")
    }
}

import EventSchemas
import Testing

@Suite("The written cases")
struct CaseTests {
    @Test("are judged as written, in every mode and under both policies", arguments: ChangeCase.all)
    func verdicts(_ written: ChangeCase) {
        for policy in CompatibilityPolicy.allCases {
            let comparison = written.judged(under: policy)
            let expected = written.expected(under: policy)
            #expect(comparison.verdicts == expected, "\(policy): \(comparison.findings)")
            #expect(
                comparison.verdict(in: .full) == Verdict.worst(expected.backward, expected.forward), "\(policy)")
            for (mode, wanted) in [
                (CompatibilityMode.backwardTransitive, expected.backward), (.forwardTransitive, expected.forward),
            ] { #expect(comparison.verdict(in: mode) == wanted, "\(policy)") }
            // The rule that the case is about is the one that finds it.
            let own = comparison.findings.filter { $0.rule == written.rule }
            #expect(
                !own.isEmpty || comparison.findings.isEmpty,
                "\(policy): no finding by \(written.rule.rawValue): \(comparison.findings)")
            let breaks = (own.contains { $0.backward.breaks }, own.contains { $0.forward.breaks })
            #expect(
                breaks == (expected.backward.breaks, expected.forward.breaks),
                "\(policy): another rule decides: \(comparison.findings)")
        }
    }

    @Test("are two hundred or more, each under a name of its own")
    func number() {
        #expect(ChangeCase.all.count >= 200)
        let names = ChangeCase.all.map(\.name)
        let repeated = Dictionary(grouping: names) { $0 }.filter { $0.value.count > 1 }.keys
        #expect(repeated.isEmpty)
    }

    @Test("show each rule breaking and compatible", arguments: Rule.allCases.filter(\.comparesSchemas))
    func everyRule(_ rule: Rule) {
        let own = ChangeCase.all.filter { $0.rule == rule }
        let verdicts = own.flatMap { [$0.strict.backward, $0.strict.forward, $0.lenient.backward, $0.lenient.forward] }
        let breaks = verdicts.contains { $0.breaks }
        #expect(verdicts.contains(.compatible), "no compatible case of \(rule.rawValue)")
        // An annotation can't break anybody.
        if rule != .annotation { #expect(breaks, "no breaking case of \(rule.rawValue)") }
    }

    @Test("would notice a checker that turns one verdict round", arguments: Rule.allCases.filter(\.comparesSchemas))
    func vacuity(_ rule: Rule) {
        // The verdict of every finding of the rule turned round, in one direction: some case has to object.
        for direction in Direction.allCases {
            let noticed = ChangeCase.all.filter { $0.rule == rule }.contains { written in
                CompatibilityPolicy.allCases.contains { policy in
                    let turned = written.judged(under: policy).findings.map { $0.turned(direction, of: rule) }
                    let worst = turned.map { direction == .backward ? $0.backward : $0.forward }
                        .reduce(.compatible, Verdict.worst)
                    let expected = written.expected(under: policy)
                    return worst != (direction == .backward ? expected.backward : expected.forward)
                }
            }
            #expect(noticed, "no case of \(rule.rawValue) would notice")
        }
    }

    @Test("hold with old and new exchanged, backward being forward then", arguments: ChangeCase.all)
    func exchanged(_ written: ChangeCase) {
        for policy in CompatibilityPolicy.allCases {
            let expected = written.expected(under: policy)
            let exchanged = SchemaComparison(old: written.new, new: written.old, policy: policy)
            #expect(
                exchanged.verdicts == .init(backward: expected.forward, forward: expected.backward),
                "\(policy): \(exchanged.findings)")
        }
    }

    @Test("change nothing where a schema is compared with itself", arguments: ChangeCase.all)
    func itself(_ written: ChangeCase) {
        for schema in [written.old, written.new] {
            let comparison = SchemaComparison(old: schema, new: schema, policy: .strict)
            #expect(comparison.findings.isEmpty, "\(comparison.findings)")
        }
    }
}

extension Finding {
    fileprivate func turned(_ direction: Direction, of rule: Rule) -> Finding {
        guard self.rule == rule else { return self }
        var copy = self
        func turn(_ verdict: Verdict) -> Verdict { verdict.breaks ? .compatible : .breaking }
        switch direction {
        case .backward: copy.backward = turn(backward)
        case .forward: copy.forward = turn(forward)
        }
        return copy
    }
}

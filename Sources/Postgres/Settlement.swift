/// What is left to do before a connection can serve somebody else.
struct Settlement: Sendable {
    enum Outcome: Sendable {
        case clean
        /// What was found, with its names.
        case unclean([Leftover: [String]])
        case lost
    }

    enum Step {
        case rollBack
        case prove(SQL)
        case done(@Sendable (Outcome) -> Void, Outcome)
    }

    private enum Proof {
        case missing, given
        case failed([Leftover: [String]])
    }

    let completion: @Sendable (Outcome) -> Void
    private let when: LeaseProof
    private let customSettings: [String]
    private var hasRolledBack = false
    private var proof = Proof.missing

    init(proof when: LeaseProof, customSettings: [String], completion: @escaping @Sendable (Outcome) -> Void) {
        self.when = when
        self.customSettings = customSettings
        self.completion = completion
    }

    /// What follows once nothing is under way any more.
    mutating func next(isInTransaction: Bool, _ marks: SessionMarks) -> Step {
        if isInTransaction {
            // A transaction that a rollback doesn't end is nobody's to share.
            if hasRolledBack { return .done(completion, .unclean([.transaction: []])) }
            hasRolledBack = true
            return .rollBack
        }
        guard marks.isSuspect || when == .always else { return .done(completion, .clean) }
        if !marks.certain.isEmpty {
            return .done(completion, .unclean(Dictionary(uniqueKeysWithValues: marks.certain.map { ($0, []) })))
        }
        switch proof {
        case .missing: return .prove(.leftovers(customSettings: marks.customSettings.union(customSettings).sorted()))
        case .given: return .done(completion, .clean)
        case .failed(let leftovers): return .done(completion, .unclean(leftovers))
        }
    }

    /// The server has told what is left: nothing, or a row for each thing.
    mutating func prove(_ result: Result<[Rows], any Error>) {
        do {
            var found: [Leftover: [String]] = [:]
            for row in try result.get()[0] {
                let (kind, name) = try row.decode((String, String).self)
                found[Leftover(rawValue: kind) ?? .unproven, default: []].append(name)
            }
            proof = found.isEmpty ? .given : .failed(found)
        } catch {
            proof = .failed([.unproven: []])
        }
    }
}

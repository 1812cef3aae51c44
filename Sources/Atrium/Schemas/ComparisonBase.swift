/// The commits that the schemas of a work tree are held against, where nobody names one.
struct ComparisonBase: Sendable {
    /// Nothing where there is nothing to compare with.
    var commits: [(name: String, commit: String)] = []
    /// What the reader of the result should know about the choice.
    var notes: [String] = []

    /// On a branch of its own, where it left the main branch; on the main branch, its last two commits, so that neither
    /// what was just committed nor what is about to be escapes.
    static func find(in repository: GitRepository) async throws -> ComparisonBase {
        guard let head = try await repository.commit("HEAD") else {
            return ComparisonBase(notes: [
                "there is no commit yet, so nothing has been published: nothing to compare with"
            ])
        }
        for name in ["origin/main", "main"] {
            guard let tip = try await repository.commit(name) else { continue }
            guard let fork = try await repository.mergeBase(tip, head) else {
                return ComparisonBase(
                    commits: [(name, tip)],
                    notes: ["this history has no commit in common with \(name): compared with its tip"])
            }
            if fork != head { return ComparisonBase(commits: [("where this branch left \(name)", fork)]) }
            return try await onMain(head, repository)
        }
        var base = try await onMain(head, repository)
        base.notes.insert("there is neither origin/main nor main here: compared with the commits before", at: 0)
        return base
    }

    private static func onMain(_ head: String, _ repository: GitRepository) async throws -> ComparisonBase {
        var base = ComparisonBase(commits: [("HEAD", head)])
        if let before = try await repository.commit("HEAD^") {
            base.commits.append(("HEAD^", before))
        } else if try await repository.isShallow() {
            base.notes.append(
                "this clone is shallow and ends here, so the commit before was not looked at; git fetch --unshallow brings it"
            )
        } else {
            base.notes.append("this is the first commit: only what is not committed yet was looked at")
        }
        return base
    }
}

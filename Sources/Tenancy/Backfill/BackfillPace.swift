/// How fast a backfill goes, and what it gives way to.
package struct BackfillPace: Sendable {
    /// Keys in a transaction; `nil` takes the definition's.
    package var batch: Int?
    /// How far behind a replica of the tenant's server may be when a batch begins.
    package var maxLag = Duration.seconds(2)
    package var pause = Duration.zero
    /// How long a batch waits for a lock before it is taken back and tried again.
    package var lockTimeout = Duration.seconds(1)
    /// How often one batch is tried before the tenant's turn ends.
    package var tries = 8
    package var rest: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    package init() {}

    /// How often a replica that is behind is looked at again.
    static let look = Duration.milliseconds(250)

    /// - Parameter tried: how often the batch has failed, from 1.
    func backoff(_ tried: Int) -> Duration {
        min(.milliseconds(100) * (1 << min(tried - 1, 10)), .seconds(5))
    }
}

extension DatabaseFleet {
    /// A replica that the server's writers should wait for, and why. One that is away is not waited for: it could be gone
    /// for good, and nobody reads from it.
    func straggler(on server: String, above limit: Duration) -> String? {
        for replica in replicated.first(where: { $0.settings.name == server })?.replicas ?? [] {
            switch replica.current {
            case .unseen: return "replica \(replica.number) of \(server) has not been looked at yet"
            case .following(_, let lag) where lag > limit:
                return "replica \(replica.number) of \(server) is \(lag) behind"
            case .following, .promoted, .foreign, .away: continue
            }
        }
        return nil
    }
}

package import Kernel
import MeteringContracts

/// Records a batch of usage events in one transaction: each event once, with its effect, or not at all.
package struct RecordUsage: Sendable {
    package let events: [UsageEvent]
    package let policy: UsagePolicy
    /// Meters that are defined on the way where they are not yet.
    package let defining: [MeterDefinition]

    package init(events: [UsageEvent], policy: UsagePolicy = .reported, defining: [MeterDefinition] = []) {
        self.events = events
        self.policy = policy
        self.defining = defining
    }
}

package struct RecordUsageHandler<Repository: UsageRepository> {
    private let repository: Repository
    private let identifiers: IdentifierSource
    private let clock: WallClock

    package init(repository: Repository, identifiers: IdentifierSource, clock: WallClock) {
        self.repository = repository
        self.identifiers = identifiers
        self.clock = clock
    }

    /// Answers what became of each event, in their order.
    package func handle(_ command: RecordUsage) async throws -> [UsageOutcome] {
        let keys = Set(command.events.map(\.meter))
        guard keys.count <= UsagePolicy.meterLimit else {
            throw MeteringError.tooManyMeters(limit: UsagePolicy.meterLimit)
        }
        guard !keys.isEmpty else { return [] }
        var meters = try await repository.takeTurns(with: keys)
        // Only now, so that what a meter recorded later never says it was earlier.
        let now = clock.now()
        for definition in command.defining where meters[definition.key] == nil {
            let meter = Meter(id: identifiers.next(), definition: definition, at: now)
            try await repository.insert(meter)
            meters[definition.key] = meter
        }
        var recording = Recording(command.events, meters: meters, policy: command.policy, at: now)
        guard !recording.candidates.isEmpty else { return recording.settle(new: [], known: [:]) }
        let new = try await repository.keep(recording.candidates)
        let others = recording.candidates.map(\.event.identity).filter { !new.contains($0) }
        let known = others.isEmpty ? [:] : try await repository.kept(others)
        let outcomes = recording.settle(new: new, known: known)
        try await repository.save(recording)
        return outcomes
    }
}

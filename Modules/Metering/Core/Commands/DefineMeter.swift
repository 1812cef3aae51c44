package import Kernel
import MeteringContracts

/// Makes a meter that usage can be reported for; asked for again, it changes nothing.
package struct DefineMeterHandler<Repository: MeterRepository> {
    private let repository: Repository
    private let identifiers: IdentifierSource
    private let clock: WallClock

    package init(repository: Repository, identifiers: IdentifierSource, clock: WallClock) {
        self.repository = repository
        self.identifiers = identifiers
        self.clock = clock
    }

    package func handle(_ definition: MeterDefinition) async throws -> Meter {
        guard !definition.key.isBuiltIn else { throw MeteringError.builtInMeter(definition.key) }
        if let meter = try await repository.takeTurns(with: [definition.key])[definition.key] {
            try meter.confirm(definition)
            return meter
        }
        let meter = Meter(id: identifiers.next(), definition: definition, at: clock.now())
        try await repository.insert(meter)
        return meter
    }
}

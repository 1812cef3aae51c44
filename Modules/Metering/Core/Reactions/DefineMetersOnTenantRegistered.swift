package import IdentityContracts
package import Kernel
import MeteringContracts

/// A tenant that joins gets the meters that Atrium records by itself.
package struct DefineMetersOnTenantRegistered<Repository: MeterRepository> {
    private let repository: Repository
    private let identifiers: IdentifierSource

    package init(repository: Repository, identifiers: IdentifierSource) {
        self.repository = repository
        self.identifiers = identifiers
    }

    package func react(to event: TenantRegisteredV1) async throws {
        let definitions = MeterDefinition.builtIn
        let meters = try await repository.takeTurns(with: Set(definitions.map(\.key)))
        for definition in definitions where meters[definition.key] == nil {
            try await repository.insert(
                Meter(id: identifiers.next(), definition: definition, at: event.registeredAt))
        }
    }
}

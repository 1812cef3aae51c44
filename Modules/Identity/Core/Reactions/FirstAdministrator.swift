package import Kernel

/// The administrator a tenant begins with: without one, nobody could ever log in.
package struct FirstAdministrator: Sendable {
    package let email: EmailAddress
    package let name: DisplayText
    package let passwordHash: PasswordHash
    package let identifiers: IdentifierSource

    package init(
        email: EmailAddress, name: DisplayText, passwordHash: PasswordHash, identifiers: IdentifierSource
    ) {
        self.email = email
        self.name = name
        self.passwordHash = passwordHash
        self.identifiers = identifiers
    }

    /// Adds the administrator when a tenant has been registered, to be saved in the same transaction.
    package func react(to recorded: Tenant.RecordedEvent) -> User? {
        switch recorded.event {
        case .registered:
            User(
                id: identifiers.next(), email: email, name: name, passwordHash: passwordHash, role: .administrator,
                at: recorded.at)
        case .activated, .suspended, .reactivated:
            nil
        }
    }
}

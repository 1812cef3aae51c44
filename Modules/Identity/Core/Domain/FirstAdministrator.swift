package import Kernel

/// The administrator a tenant begins with: without one, nobody could ever log in.
package struct FirstAdministrator: Sendable {
    package let id: UserID
    package let email: EmailAddress
    package let name: DisplayText
    package let passwordHash: PasswordHash

    package init(id: UserID, email: EmailAddress, name: DisplayText, passwordHash: PasswordHash) {
        self.id = id
        self.email = email
        self.name = name
        self.passwordHash = passwordHash
    }

    package func make(at now: Timestamp) -> User {
        User(id: id, email: email, name: name, passwordHash: passwordHash, role: .administrator, at: now)
    }
}

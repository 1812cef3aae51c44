import Foundation
import Identity
import Kernel
import Synchronization
import Testing

@Suite("Registering a tenant")
struct RegistrationStepsTests {
    @Test("is one tenant, open, with one administrator and one key that may write")
    func registering() async throws {
        let foundry = FoundryInMemory()
        let registration = try await handler(foundry).handle(registerAcme())
        #expect(registration.tenant.state == .active)
        #expect(registration.administrator.role == .administrator)
        #expect(registration.administrator.email.text == "ada@acme.example")
        #expect(registration.administrator.passwordHash == PasswordHash("hash of correct horse battery"))
        #expect(registration.key.permission == .write)
        #expect(registration.keyText.tenantID == registration.tenant.id)
        #expect(registration.keyText.keyID == registration.key.id)
        #expect(registration.key.digest == CountingSecrets().digest(registration.keyText.secret))
        #expect(foundry.log.withLock { $0 } == ["reserve", "begin build", "build", "begin furnish", "furnish", "open"])
    }

    @Test(
        "goes on where it stopped, and makes the same administrator and key again",
        arguments: ["build", "furnish", "open"])
    func resuming(after stop: String) async throws {
        let foundry = FoundryInMemory()
        foundry.failing.withLock { $0 = stop }
        await #expect(throws: (any Error).self) { try await handler(foundry).handle(registerAcme()) }
        foundry.failing.withLock { $0 = nil }
        let registration = try await handler(foundry).handle(registerAcme())
        #expect(foundry.opened.withLock { $0 } == [registration.tenant.id])
        let furnished = foundry.furnished.withLock { $0 }
        #expect(Set(furnished.map(\.administrator.id)).count == 1)
        #expect(Set(furnished.map(\.key.id)).count == 1)
        #expect(Set(furnished.map(\.key.digest)).count == 1)
    }

    private func handler(
        _ foundry: FoundryInMemory
    ) -> RegisterTenantHandler<FoundryInMemory, HasherInMemory, CountingSecrets> {
        RegisterTenantHandler(
            foundry: foundry, passwords: HasherInMemory(), secrets: CountingSecrets(), identifiers: .system,
            clock: WallClock { noon })
    }
}

private func registerAcme() throws -> RegisterTenant {
    try RegisterTenant(
        slug: Slug("acme"), name: DisplayText("Acme Corporation"), sku: SKU("growth"), region: Region("eu-central"),
        administrator: .init(
            email: EmailAddress("ada@acme.example"), name: DisplayText("Ada"),
            password: Password("correct horse battery")))
}

private final class FoundryInMemory: TenantFoundry {
    let log = Mutex<[String]>([])
    let failing = Mutex<String?>(nil)
    let reserved = Mutex<Reservation?>(nil)
    let furnished = Mutex<[Registration]>([])
    let opened = Mutex<[TenantID]>([])

    private func pass(_ step: String) throws {
        log.withLock { $0.append(step) }
        if failing.withLock({ $0 == step }) { throw CancellationError() }
    }

    func policy() async throws -> PlacementPolicy { samplePolicy() }

    func reserve(_ reservation: Reservation) async throws -> Reservation {
        try pass("reserve")
        return reserved.withLock { reserved in
            reserved = reserved ?? reservation
            return reserved ?? reservation
        }
    }

    func build(_ reservation: Reservation) async throws { try pass("build") }

    func furnish(_ registration: Registration) async throws {
        furnished.withLock { $0.append(registration) }
        try pass("furnish")
    }

    func open(_ registration: Registration) async throws {
        try pass("open")
        opened.withLock { $0.append(registration.tenant.id) }
    }

    func perform<Result>(
        _ step: ProvisioningStep, of tenant: Tenant, _ body: () async throws -> Result
    ) async throws -> Result {
        log.withLock { $0.append("begin \(step.rawValue)") }
        return try await body()
    }
}

private struct HasherInMemory: PasswordHasher {
    func hash(_ password: Password) async throws -> PasswordHash { PasswordHash("hash of \(password.text)") }
    func check(_ text: String, against hash: PasswordHash?) async throws -> PasswordCheck { .wrong }
}

private struct CountingSecrets: SecretSource {
    private static let made = Mutex<UInt8>(0)

    func next(count: Int) -> [UInt8] {
        let start = Self.made.withLock { made in
            made &+= 1
            return made
        }
        return (0..<count).map { start &+ UInt8($0) }
    }

    func derive(from salt: [UInt8], count: Int) -> [UInt8] { Array(salt.map { $0 ^ 0xFF }.prefix(count)) }
    func digest(_ secret: [UInt8]) -> [UInt8] { secret.map { ~$0 } }
}

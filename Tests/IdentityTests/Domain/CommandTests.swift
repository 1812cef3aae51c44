import Foundation
import Identity
import Kernel
import Synchronization
import Testing

@Suite("Commands of Identity")
struct CommandTests {
    @Test("a right login gets a session of 15 minutes in whole seconds")
    func login() async throws {
        let world = try LoginWorld()
        let session = try await world.handler.handle(
            OpenSession(tenant: "acme", email: "ADA@acme.example", password: "correct horse battery"))
        #expect(session.grant.tenantID == world.tenantID)
        #expect(session.grant.userID == world.user.id)
        #expect(session.grant.role == .administrator)
        #expect(session.grant.expiresAt.duration(since: session.grant.issuedAt) == .seconds(900))
        #expect(session.grant.issuedAt.microsecondsSinceEpoch % 1_000_000 == 0)
        #expect(session.token == "signed \(session.grant.id)")
    }

    @Test(
        "every wrong login is refused alike, after the same two look-ups and one check",
        arguments: [
            OpenSession(tenant: "nobody", email: "ada@acme.example", password: "correct horse battery"),
            OpenSession(tenant: "No Slug\0", email: "ada@acme.example", password: "correct horse battery"),
            OpenSession(tenant: "acme", email: "eve@acme.example", password: "correct horse battery"),
            OpenSession(tenant: "acme", email: "no address", password: "correct horse battery"),
            OpenSession(tenant: "acme", email: "ada@acme.example", password: "wrong"),
            OpenSession(tenant: "acme", email: "ada@acme.example", password: ""),
            OpenSession(tenant: "", email: "", password: ""),
        ])
    func wrongLogins(_ command: OpenSession) async throws {
        let world = try LoginWorld()
        await #expect(throws: IdentityError.loginRefused) { try await world.handler.handle(command) }
        #expect(world.registry.lookups.withLock { $0 } == 1)
        #expect(world.users.lookups.withLock { $0 } == 1)
        #expect(world.hasher.checks.withLock { $0 } == 1)
        #expect(world.hasher.hashes.withLock { $0 } == 0)
    }

    @Test("a disabled user is refused like a wrong password")
    func disabledUser() async throws {
        let world = try LoginWorld(disabled: true)
        await #expect(throws: IdentityError.loginRefused) {
            try await world.handler.handle(
                OpenSession(tenant: "acme", email: "ada@acme.example", password: "correct horse battery"))
        }
        #expect(world.hasher.checks.withLock { $0 } == 1)
    }

    @Test("a password kept under old parameters is hashed anew at a right login")
    func rehashing() async throws {
        let world = try LoginWorld(outdated: true)
        _ = try await world.handler.handle(
            OpenSession(tenant: "acme", email: "ada@acme.example", password: "correct horse battery"))
        #expect(
            world.users.users.withLock { $0[world.user.id]?.passwordHash }
                == PasswordHash("hash of correct horse battery"))
    }
}

private struct LoginWorld {
    let tenantID = TenantID(UUID())
    let user: User
    let registry = RegistryInMemory()
    let users = UsersInMemory()
    let hasher = PlainHasher()
    let handler: OpenSessionHandler<RegistryInMemory, UsersInMemory, PlainHasher, PlainTokens>

    init(disabled: Bool = false, outdated: Bool = false) throws {
        var user = try User(
            id: UserID(UUID()), email: EmailAddress("ada@acme.example"), name: DisplayText("Ada"),
            passwordHash: PasswordHash((outdated ? "old " : "") + "hash of correct horse battery"),
            role: .administrator, at: noon)
        if disabled { user.disable(at: noon) }
        let (tenantID, saved) = (tenantID, user)
        registry.open.withLock { $0["acme"] = tenantID }
        users.users.withLock { $0[saved.id] = saved }
        users.tenantID.withLock { $0 = tenantID }
        self.user = user
        handler = OpenSessionHandler(
            registry: registry, users: users, passwords: hasher, tokens: PlainTokens(),
            identifiers: countingIdentifiers(), clock: WallClock { noon.advanced(by: .milliseconds(250)) })
    }
}

private final class RegistryInMemory: TenantRegistry {
    let open = Mutex<[String: TenantID]>([:])
    let lookups = Mutex(0)

    func update(
        _ slug: Slug, expecting expected: Int64, _ change: (inout Tenant) throws(IdentityError) -> Void
    ) async throws -> Tenant {
        throw IdentityError.unknownTenant
    }

    func openTenant(_ slug: Slug) async throws -> TenantID? {
        lookups.withLock { $0 += 1 }
        return open.withLock { $0[slug.text] }
    }
}

private final class UsersInMemory: UserRepository {
    let users = Mutex<[UserID: User]>([:])
    let tenantID = Mutex<TenantID?>(nil)
    let lookups = Mutex(0)

    func find(_ email: EmailAddress?, of tenant: TenantID?) async throws -> User? {
        lookups.withLock { $0 += 1 }
        guard let tenant, tenant == tenantID.withLock({ $0 }) else { return nil }
        return users.withLock { $0.values.first { $0.email == email } }
    }

    func update(_ id: UserID, of tenant: TenantID, _ change: (inout User) -> Void) async throws -> User? {
        users.withLock { users in
            guard var user = users[id] else { return nil }
            change(&user)
            users[id] = user
            return user
        }
    }
}

private final class PlainHasher: PasswordHasher {
    let hashes = Mutex(0)
    let checks = Mutex(0)

    func hash(_ password: Password) async throws -> PasswordHash {
        hashes.withLock { $0 += 1 }
        return PasswordHash("hash of \(password.text)")
    }

    func check(_ text: String, against hash: PasswordHash?) async throws -> PasswordCheck {
        checks.withLock { $0 += 1 }
        return switch hash?.text {
        case "hash of \(text)": .right
        case "old hash of \(text)": .rightButOutdated
        default: .wrong
        }
    }
}

private struct PlainTokens: SessionTokens {
    func sign(_ grant: SessionGrant) async throws -> String { "signed \(grant.id)" }
}

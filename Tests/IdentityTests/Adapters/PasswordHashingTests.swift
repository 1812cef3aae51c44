import Dispatch
import Foundation
import Identity
import Kernel
import Synchronization
import TestSupport
import Testing

@testable import IdentityAdapters

@Suite("Password hashing")
struct PasswordHashingTests {
    private static let weak = Argon2id.Parameters(passes: 1, memoryBytes: 1 << 20)

    @Test("is Argon2id with at least 19 MiB and two passes")
    func parameters() throws {
        #expect(try Argon2id.hash("correct horse", .standard).hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
    }

    @Test(
        "takes a password as it is, whatever is in it",
        arguments: [
            "correct horse battery", "пароль-длинный", "nul\0inside", "🔑🔑🔑🔑🔑🔑🔑🔑", " spaces ",
        ])
    func verbatim(_ text: String) async throws {
        let passwords = try Argon2idPasswords(parameters: Self.weak)
        let hash = try await passwords.hash(Password(text))
        #expect(try await passwords.check(text, against: hash) == .right)
        #expect(try await passwords.check(text + " ", against: hash) == .wrong)
        #expect(try await passwords.check("", against: hash) == .wrong)
    }

    @Test("does not end at a NUL")
    func nul() async throws {
        let passwords = try Argon2idPasswords(parameters: Self.weak)
        let hash = try await passwords.hash(Password("password\0one"))
        #expect(try await passwords.check("password\0two", against: hash) == .wrong)
    }

    @Test("does not take two spellings of one accent for the same")
    func noNormalisation() async throws {
        let passwords = try Argon2idPasswords(parameters: Self.weak)
        let hash = try await passwords.hash(Password("caf\u{E9} au lait"))
        #expect(try await passwords.check("cafe\u{301} au lait", against: hash) == .wrong)
    }

    @Test("salts: the same password has two hashes")
    func salt() throws {
        #expect(try Argon2id.hash("correct horse", Self.weak) != Argon2id.hash("correct horse", Self.weak))
    }

    @Test("tells when a hash was made under other parameters")
    func outdated() async throws {
        let old = try await Argon2idPasswords(parameters: Self.weak).hash(Password("correct horse"))
        let passwords = try Argon2idPasswords(parameters: .init(passes: 2, memoryBytes: 1 << 20))
        #expect(try await passwords.check("correct horse", against: old) == .rightButOutdated)
        #expect(try await passwords.check("wrong horse", against: old) == .wrong)
    }

    @Test("says no where there is no hash, or what is there is none")
    func noHash() async throws {
        let passwords = try Argon2idPasswords(parameters: Self.weak)
        #expect(try await passwords.check("correct horse", against: nil) == .wrong)
        for text in ["", "x", "$argon2id$v=19$m=19456", String(repeating: "x", count: 500)] {
            #expect(try await passwords.check("correct horse", against: PasswordHash(text)) == .wrong)
        }
    }

    @Test("does the work of one hash, under the same parameters, where there is nobody to check")
    func equalWork() async throws {
        let passwords = try Argon2idPasswords()
        #expect(!Argon2id.isOutdated(passwords.decoy, under: .standard))
        let start = ContinuousClock.now
        #expect(try await passwords.check("wrong horse", against: nil) == .wrong)
        // Load can only make it longer; nothing writes 19 MiB twice in less than this.
        #expect(start.duration(to: .now) > .milliseconds(2))
    }

    @Test("runs no more at once than there is room for, and all in the end")
    func width() async throws {
        let queue = HashingQueue(width: 2, patience: 500)
        let crowd = Crowd()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await queue.run {
                        crowd.enter()
                        usleep(200)
                        crowd.leave()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect((1...2).contains(crowd.most))
        #expect(queue.waitingCount == 0)
    }

    @Test("turns away those for whom there is no room to wait")
    func patience() async throws {
        let queue = HashingQueue(width: 1, patience: 1)
        let gate = DispatchSemaphore(value: 0)
        async let first: Void = queue.run { gate.wait() }
        async let second: Void = queue.run {}
        try await Waiting.until("one waits") { queue.waitingCount > 0 }
        await #expect(throws: TooManyLogins.self) { try await queue.run {} }
        gate.signal()
        _ = try await (first, second)
        try await queue.run {}
    }

    @Test("lets go of a waiting caller that is cancelled, and of nobody else")
    func cancellation() async throws {
        let queue = HashingQueue(width: 1, patience: 10)
        let gate = DispatchSemaphore(value: 0)
        async let first: Void = queue.run { gate.wait() }
        try await Waiting.until("the queue is taken") { !queue.isFree }
        let cancelled = Task { try await queue.run {} }
        try await Waiting.until("one waits") { queue.waitingCount >= 1 }
        async let third: Int = queue.run { 3 }
        try await Waiting.until("two wait") { queue.waitingCount >= 2 }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        #expect(queue.waitingCount == 1)
        gate.signal()
        try await first
        #expect(try await third == 3)
    }

    @Test("does not begin for a caller that was cancelled before")
    func cancelledBefore() async throws {
        let queue = HashingQueue(width: 1, patience: 10)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await queue.run {}
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(queue.isFree)
    }
}

/// Counts who is in at once.
private final class Crowd: Sendable {
    private let state = Mutex((now: 0, most: 0))

    var most: Int { state.withLock { $0.most } }

    func enter() {
        state.withLock {
            $0.now += 1
            $0.most = max($0.most, $0.now)
        }
    }

    func leave() {
        state.withLock { $0.now -= 1 }
    }
}

import Foundation
import Identity

/// Passwords under Argon2id, hashed one for each two processors at a time.
final class Argon2idPasswords: PasswordHasher {
    private let parameters: Argon2id.Parameters
    private let queue: HashingQueue
    /// Checked in place of a user's hash where there is no user, so that both take the same time.
    let decoy: String

    init(
        parameters: Argon2id.Parameters = .standard,
        queue: HashingQueue = HashingQueue(
            width: max(1, ProcessInfo.processInfo.activeProcessorCount / 2), patience: 256)
    ) throws {
        self.parameters = parameters
        self.queue = queue
        decoy = try Argon2id.hash(UUID().uuidString, parameters)
    }

    func hash(_ password: Password) async throws -> PasswordHash {
        let (text, parameters) = (password.text, parameters)
        let hash = try await queue.run { Result { try Argon2id.hash(text, parameters) } }
        return PasswordHash(try hash.get())
    }

    func check(_ text: String, against hash: PasswordHash?) async throws -> PasswordCheck {
        let (known, parameters) = (hash?.text ?? decoy, parameters)
        let isRight = try await queue.run { Argon2id.isHash(known, of: text) }
        guard isRight, hash != nil else { return .wrong }
        return Argon2id.isOutdated(known, under: parameters) ? .rightButOutdated : .right
    }
}

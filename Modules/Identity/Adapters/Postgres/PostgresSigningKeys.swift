import Crypto
import Identity
import Kernel
import Logging
import Postgres
import Tenancy

/// Signing keys in the control plane's database, encrypted with the installation's secret.
struct PostgresSigningKeys: SigningKeyStore {
    /// How long a key signs.
    static let term = Duration.seconds(30 * 86_400)
    /// How long before its first signature a key can be read by every process.
    static let notice = Duration.seconds(86_400)
    /// How far a key that is wanted at once is dated back, so that a process whose clock is behind signs with it too.
    static let tolerance = Duration.seconds(300)

    let dataPlane: DataPlane
    let seal: Seal
    let identifiers: IdentifierSource
    let logger: Logger

    func load(at now: Timestamp) async throws -> [SigningKey] {
        let keys = try await dataPlane.control(
            reason: .routine("load signing keys"), logger: logger
        ) { try await stored(in: $0, at: now) }
        guard Self.start(ofNextAfter: keys, at: now) != nil else { return keys }

        return try await dataPlane.control(
            reason: .once("make a signing key"), logger: logger
        ) { transaction in
            // One process makes the key; the others wait here and then find it.
            _ = try await transaction.rows("SELECT pg_advisory_xact_lock(hashtext('control.signing_keys'))")
            var keys = try await stored(in: transaction, at: now)
            guard let start = Self.start(ofNextAfter: keys, at: now) else { return keys }
            let key = SigningKey(
                id: identifiers.next(), privateKey: Curve25519.Signing.PrivateKey(), signsFrom: start,
                signsUntil: start.advanced(by: Self.term))
            let sealed = try seal.close(
                Array(key.privateKey.rawRepresentation), for: .signingKey, in: key.id.description)
            transaction.enqueue(
                """
                INSERT INTO control.signing_keys (id, sealed_key, signs_from, signs_until)
                VALUES (\(key.id), \(sealed), \(key.signsFrom), \(key.signsUntil))
                """)
            transaction.enqueue(
                "DELETE FROM control.signing_keys WHERE signs_until < \(now.advanced(by: .seconds(-86_400)))")
            logger.info("made a signing key", metadata: ["key": "\(key.id)", "signs-from": "\(key.signsFrom)"])
            keys.append(key)
            return keys
        }
    }

    /// When a key that is missing should begin to sign; `nil` where none is missing.
    static func start(ofNextAfter keys: [SigningKey], at now: Timestamp) -> Timestamp? {
        guard let last = keys.map(\.signsUntil).max(), now < last, keys.contains(where: { $0.signs(at: now) }) else {
            return now.advanced(by: .zero - tolerance)
        }
        return last <= now.advanced(by: notice) ? last : nil
    }

    private func stored(in transaction: CrossTenantTransaction, at now: Timestamp) async throws -> [SigningKey] {
        let rows = try await transaction.rows(
            "SELECT id, sealed_key, signs_from, signs_until FROM control.signing_keys")
        return try rows.compactMap { row in
            let (id, sealed, from, until) = try row.decode((SigningKeyID, [UInt8], Timestamp, Timestamp).self)
            guard let raw = seal.open(sealed, for: .signingKey, in: id.description) else {
                logger.warning("passed over a signing key of another secret", metadata: ["key": "\(id)"])
                return nil
            }
            let key = SigningKey(
                id: id, privateKey: try Curve25519.Signing.PrivateKey(rawRepresentation: raw), signsFrom: from,
                signsUntil: until)
            return now < key.verifiesUntil ? key : nil
        }
    }
}

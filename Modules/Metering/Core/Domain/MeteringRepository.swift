/// The meters of one tenant in one transaction.
package protocol MeterRepository {
    /// Waits for this transaction's turn with each of these meters, defined or not, and reads those that are.
    ///
    /// A meter's turn lasts until the transaction ends. Asked for once in a transaction, and before any write.
    func takeTurns(with keys: Set<MeterKey>) async throws -> [MeterKey: Meter]

    func insert(_ meter: Meter) async throws
}

/// The usage events and buckets of one tenant in one transaction.
package protocol UsageRepository: MeterRepository {
    /// Keeps the records whose identity is new, and answers which those are.
    func keep(_ records: [UsageRecord]) async throws -> Set<UsageIdentity>

    /// What has been kept under these identities.
    func kept(_ identities: [UsageIdentity]) async throws -> [UsageIdentity: UsageContent]

    /// Saves the effect of what was kept: buckets, meters, events.
    func save(_ recording: Recording) async throws
}

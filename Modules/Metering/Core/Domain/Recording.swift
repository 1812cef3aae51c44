import Foundation
package import Kernel
package import MeteringContracts

/// What becomes of a batch of usage events: each stands or falls by itself.
///
/// Made in two steps, since only the database knows which identities are new: the candidates first, then what came of
/// them.
package struct Recording: Sendable {
    /// What would be recorded, one for each identity, in the order of identities: transactions that write in one order
    /// can wait for one another, but never in a circle.
    package let candidates: [UsageRecord]
    /// What is recorded, in the order the events came.
    package private(set) var recorded: [UsageRecorded] = []

    private let verdicts: [Verdict]
    private var meters: [MeterKey: Meter]

    private enum Verdict: Sendable {
        case admitted(UsageRecord)
        case refused(UsageRefusal)
    }

    package init(_ events: [UsageEvent], meters: [MeterKey: Meter], policy: UsagePolicy, at now: Timestamp) {
        self.meters = meters
        var verdicts: [Verdict] = []
        verdicts.reserveCapacity(events.count)
        var first: [UsageIdentity: UsageRecord] = [:]
        for event in events {
            do throws(UsageRefusal) {
                try policy.admit(event, at: now)
                guard let meter = meters[event.meter] else { throw .unknownMeter(event.meter) }
                let record = UsageRecord(
                    event: event, meterID: meter.id, amount: try meter.amount(of: event.value), at: now)
                if first[event.identity] == nil { first[event.identity] = record }
                verdicts.append(.admitted(record))
            } catch {
                verdicts.append(.refused(error))
            }
        }
        self.verdicts = verdicts
        candidates = first.values.sorted { $0.event.identity < $1.event.identity }
    }

    /// Tells the new from the known, and answers what became of each event, in the order they came.
    ///
    /// - Parameters:
    ///   - new: the candidates that had not been recorded before.
    ///   - known: what had been recorded under the identities of the others.
    package mutating func settle(
        new: Set<UsageIdentity>, known: [UsageIdentity: UsageContent]
    ) -> [UsageOutcome] {
        var known = known
        return verdicts.map { verdict in
            switch verdict {
            case .refused(let refusal): return .refused(refusal)
            case .admitted(let record):
                let identity = record.event.identity
                if let content = known[identity] {
                    return content == record.content ? .duplicate : .refused(.conflict)
                }
                guard new.contains(identity), let sequence = meters[record.event.meter]?.record() else {
                    return .refused(.conflict)
                }
                known[identity] = record.content
                recorded.append(UsageRecorded(record: record, sequence: sequence))
                return .accepted
            }
        }
    }

    /// The meters that recorded something, as they are now.
    package var changedMeters: [Meter] {
        Set(recorded.map(\.record.event.meter)).sorted().compactMap { meters[$0] }
    }

    /// What the recorded events add to the buckets, in the order of buckets.
    package var buckets: [BucketChange] {
        var changes: [BucketID: BucketChange] = [:]
        for record in recorded.map(\.record) {
            let id = BucketID(meterID: record.meterID, minute: UsageWindow.minute.start(of: record.time))
            var change = changes[id] ?? BucketChange(id: id, count: 0, sum: 0)
            change.count += 1
            change.sum += record.amount.decimal
            changes[id] = change
        }
        return changes.values.sorted { $0.id < $1.id }
    }
}

/// What became of one usage event.
package enum UsageOutcome: Hashable, Sendable {
    case accepted
    /// It had been recorded before, with the same content: nothing was added.
    case duplicate
    case refused(UsageRefusal)
}

/// A usage event that its meter takes.
package struct UsageRecord: Hashable, Sendable {
    package let event: UsageEvent
    package let meterID: MeterID
    package let amount: Quantity
    package let time: Timestamp
    package let recordedAt: Timestamp

    init(event: UsageEvent, meterID: MeterID, amount: Quantity, at now: Timestamp) {
        self.event = event
        self.meterID = meterID
        self.amount = amount
        time = event.time ?? now
        recordedAt = now
    }

    package var content: UsageContent {
        UsageContent(
            type: event.type, subject: event.subject, statedTime: event.time, meterID: meterID, amount: amount,
            dimensions: event.dimensions)
    }
}

/// A usage event took effect.
package struct UsageRecorded: Hashable, Sendable {
    package let record: UsageRecord
    /// Its place among all that the meter has recorded, from 1 on.
    package let sequence: Int64

    /// What others are told of it.
    package func publication(tenantID: TenantID) -> UsageRecordedV1 {
        UsageRecordedV1(
            tenantId: tenantID, meterId: record.meterID, meter: record.event.meter.text,
            source: record.event.identity.source, id: record.event.identity.id, value: record.amount.text,
            subject: record.event.subject, dimensions: record.event.dimensions, time: record.time,
            recordedAt: record.recordedAt)
    }
}

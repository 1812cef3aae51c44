import Kafka
import Synchronization

/// Hands messages to workers as the schedule has it, and tells the consumer what that means for its partitions.
final class IntakeQueue: Sendable {
    private struct Guarded {
        var schedule: IntakeSchedule
        var idle: [UInt64: CheckedContinuation<Piece?, Never>] = [:]
        var lastWorker: UInt64 = 0
        var isClosed = false
    }

    private let guarded: Mutex<Guarded>
    private let flow = Mutex(())
    private let companions: @Sendable (KafkaMessage) -> Companions?
    private let consumer: KafkaConsumer

    init(
        _ limits: IntakeSchedule.Limits, companions: @escaping @Sendable (KafkaMessage) -> Companions?,
        consumer: KafkaConsumer
    ) {
        guarded = Mutex(Guarded(schedule: IntakeSchedule(limits)))
        self.companions = companions
        self.consumer = consumer
    }

    var inFlight: Int { guarded.withLock { $0.schedule.inFlight } }

    func add(_ messages: [KafkaMessage]) {
        let parties = messages.map { ($0, companions($0)) }
        let (effects, wakings) = guarded.withLock { guarded in
            (parties.map { ($0.source, guarded.schedule.add($0, $1)) }, Self.wake(&guarded))
        }
        for (source, effect) in effects where effect.turnsFlow { turnFlow(of: source) }
        for (worker, piece) in wakings { worker.resume(returning: piece) }
    }

    /// Waits for a piece of work; nil once the queue is closed.
    func next() async -> Piece? {
        let worker = guarded.withLock { guarded in
            guarded.lastWorker += 1
            return guarded.lastWorker
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isAnswered, piece) = guarded.withLock { guarded -> (Bool, Piece?) in
                    guard !guarded.isClosed, !Task.isCancelled else { return (true, nil) }
                    if let piece = guarded.schedule.next() { return (true, piece) }
                    guarded.idle[worker] = continuation
                    return (false, nil)
                }
                if isAnswered { continuation.resume(returning: piece) }
            }
        } onCancel: {
            guarded.withLock { $0.idle.removeValue(forKey: worker) }?.resume(returning: nil)
        }
    }

    /// Ends what `next` gave out; answers the positions that may be stored now.
    func finish(_ piece: Piece, _ verdicts: [IntakeSchedule.Verdict]) -> [MessagePosition] {
        let (effects, wakings) = guarded.withLock { guarded in
            (guarded.schedule.finish(piece, verdicts), Self.wake(&guarded))
        }
        for (message, effect) in zip(piece.messages, effects) where effect.turnsFlow { turnFlow(of: message.source) }
        for (worker, piece) in wakings { worker.resume(returning: piece) }
        // The last of a partition says all.
        var positions: [TopicPartition: MessagePosition] = [:]
        for (message, effect) in zip(piece.messages, effects) {
            if let position = effect.store { positions[message.source] = position }
        }
        return Array(positions.values)
    }

    /// Has the partition flow or not, as the schedule wants it by now: whoever comes last does what is right.
    private func turnFlow(of source: TopicPartition) {
        flow.withLock { _ in
            guard let (isPaused, epoch) = guarded.withLock({ $0.schedule.flow(of: source) }) else { return }
            // Fails for a partition that has gone, also one that has come back since, which is as well.
            try? isPaused ? consumer.pause(source, epoch: epoch) : consumer.resume(source, epoch: epoch)
        }
    }

    func close() {
        let idle = guarded.withLock { guarded in
            guarded.isClosed = true
            defer { guarded.idle = [:] }
            return guarded.idle
        }
        for worker in idle.values { worker.resume(returning: nil) }
    }

    /// Workers to be resumed outside the lock, each with its work.
    private static func wake(
        _ guarded: inout Guarded
    ) -> [(CheckedContinuation<Piece?, Never>, Piece)] {
        var wakings: [(CheckedContinuation<Piece?, Never>, Piece)] = []
        while let worker = guarded.idle.first, let piece = guarded.schedule.next() {
            guarded.idle[worker.key] = nil
            wakings.append((worker.value, piece))
        }
        return wakings
    }
}

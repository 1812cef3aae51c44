import Testing

@testable import Kafka

@Suite("A consumer's assignment")
struct AssignmentTests {
    private let partition = TopicPartition(topic: "t", partition: 0)

    private func message(_ offset: Int64, in assignment: Assignment) -> KafkaMessage {
        KafkaMessage(
            partition, offset: offset, key: nil, value: nil, headers: [], timestamp: 0,
            epoch: assignment.epochs[partition] ?? 0)
    }

    private func advance(_ assignment: inout Assignment, to offset: Int64) -> Bool {
        advance(&assignment, to: message(offset, in: assignment))
    }

    private func advance(_ assignment: inout Assignment, to message: KafkaMessage) -> Bool {
        assignment.advance(to: message.position)
    }

    @Test("an offset only goes forward")
    func forward() {
        var assignment = Assignment()
        assignment.assign([partition])
        #expect(advance(&assignment, to: 5))
        #expect(!advance(&assignment, to: 4))
        #expect(advance(&assignment, to: 6))
    }

    @Test("a message of a partition that went and came back is not stored")
    func cameBack() {
        var assignment = Assignment()
        assignment.assign([partition])
        let old = message(5, in: assignment)
        assignment.revoke([partition])
        #expect(!assignment.owns(old.position))
        assignment.assign([partition])
        #expect(!assignment.owns(old.position))
        #expect(!advance(&assignment, to: old))
        #expect(advance(&assignment, to: 2))
    }

    @Test("after a seek, what was read before is not stored, and lower offsets are")
    func seek() {
        var assignment = Assignment()
        assignment.assign([partition])
        let old = message(9, in: assignment)
        #expect(advance(&assignment, to: 5))
        assignment.renew(partition)
        #expect(!advance(&assignment, to: old))
        #expect(advance(&assignment, to: 1))
    }

    @Test("a message that was made by hand belongs to nobody")
    func foreign() {
        var assignment = Assignment()
        assignment.assign([partition])
        #expect(!assignment.owns(KafkaMessage(topic: "t", partition: 0, offset: 1, value: nil).position))
    }
}

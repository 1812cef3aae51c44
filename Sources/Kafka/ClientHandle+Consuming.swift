import CRDKafka

extension ClientHandle {
    func subscribe(to topics: [String]) throws {
        let code = lend { lent in
            withPartitionList(topics.map { TopicPartition(topic: $0, partition: RD_KAFKA_PARTITION_UA) }) {
                rd_kafka_subscribe(lent.client, $0)
            }
        }
        try check(code, "subscribe")
    }

    // MARK: Rebalances

    /// Blocks until librdkafka's main thread has taken the partitions over, each from an offset or from what the group has
    /// committed.
    func assign(_ starts: [(partition: TopicPartition, offset: Int64?)]) throws {
        let partitions = starts.map(\.partition)
        let failure =
            lend { lent in
                for partition in partitions {
                    guard let queue = rd_kafka_queue_get_partition(lent.client, partition.topic, partition.partition)
                    else {
                        continue
                    }
                    rd_kafka_queue_forward(queue, lent.messages)
                    rd_kafka_queue_destroy(queue)
                }
                return withPartitionList(partitions, offset: Int64(RD_KAFKA_OFFSET_INVALID)) { list in
                    for (index, start) in starts.enumerated() {
                        if let offset = start.offset { list.pointee.elems[index].offset = offset }
                    }
                    return isCooperative(lent.client)
                        ? code(of: rd_kafka_incremental_assign(lent.client, list))
                        : plain(rd_kafka_assign(lent.client, list))
                }
            } ?? nil
        if let failure { throw KafkaError(failure.code, failure.text) }
    }

    /// Reads exactly these partitions from these offsets on, without a group's say; blocks as `assign` does.
    func assign(at offsets: [TopicPartition: Int64]) throws {
        let code = lend { lent in
            withPartitionList(offsets.keys) { list in
                for index in 0..<Int(list.pointee.cnt) {
                    let element = list.pointee.elems[index]
                    let partition = TopicPartition(topic: String(cString: element.topic), partition: element.partition)
                    list.pointee.elems[index].offset = offsets[partition] ?? Int64(RD_KAFKA_OFFSET_INVALID)
                }
                return rd_kafka_assign(lent.client, list)
            }
        }
        try check(code, "assign")
    }

    /// Commits what is stored for the partitions, unless they are lost, and gives them up.
    func unassign(_ partitions: [TopicPartition]) throws {
        let failure =
            lend { lent in
                isCooperative(lent.client)
                    ? withPartitionList(partitions) { code(of: rd_kafka_incremental_unassign(lent.client, $0)) }
                    : plain(rd_kafka_assign(lent.client, nil))
            } ?? nil
        if let failure { throw KafkaError(failure.code, failure.text) }
    }

    private func isCooperative(_ client: OpaquePointer) -> Bool {
        rd_kafka_rebalance_protocol(client).map { String(cString: $0) } == "COOPERATIVE"
    }

    private func plain(_ code: rd_kafka_resp_err_t) -> (code: KafkaError.Code, text: String)? {
        code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : (KafkaError.Code(code), String(cString: rd_kafka_err2str(code)))
    }

    // MARK: Messages

    struct ReadMessages {
        var messages: [KafkaMessage] = []
        var errors: [(source: TopicPartition?, error: KafkaError)] = []
        /// Partitions that ended here, with the offset that their next message will get.
        var ends: [TopicPartition: Int64] = [:]
        /// Read, but of partitions that had been revoked by then.
        var dropped = 0
    }

    /// Takes what is there, without waiting. `atomically` runs its body while no partition comes or goes, and hands back
    /// the epochs of that moment.
    func readMessages(
        maximum: Int, atomically: (_ body: () -> Void) -> [TopicPartition: UInt64]
    ) -> ReadMessages {
        lend { lent in
            withUnsafeTemporaryAllocation(
                of: UnsafeMutablePointer<rd_kafka_message_t>?.self, capacity: maximum
            ) { slots in
                slots.initialize(repeating: nil)
                var count = 0
                let epochs = atomically {
                    count = max(0, rd_kafka_consume_batch_queue(lent.messages, 0, slots.baseAddress, slots.count))
                }
                return copy(slots.prefix(count), epochs)
            }
        } ?? ReadMessages()
    }

    private func copy(
        _ slots: Slice<UnsafeMutableBufferPointer<UnsafeMutablePointer<rd_kafka_message_t>?>>,
        _ epochs: [TopicPartition: UInt64]
    ) -> ReadMessages {
        var read = ReadMessages()
        read.messages.reserveCapacity(slots.count)
        var last: (topic: OpaquePointer, source: TopicPartition, epoch: UInt64?)?
        for case let pointer? in slots {
            defer { rd_kafka_message_destroy(pointer) }
            let message = pointer.pointee
            if message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF, let topic = message.rkt {
                let name = String(cString: rd_kafka_topic_name(topic))
                read.ends[TopicPartition(topic: name, partition: message.partition)] = message.offset
                continue
            }
            guard message.err == RD_KAFKA_RESP_ERR_NO_ERROR, let topic = message.rkt else {
                let source = message.rkt.map {
                    TopicPartition(topic: String(cString: rd_kafka_topic_name($0)), partition: message.partition)
                }
                let error = KafkaError(
                    KafkaError.Code(message.err), rd_kafka_message_errstr(pointer).map { String(cString: $0) },
                    isFatal: message.err == RD_KAFKA_RESP_ERR__FATAL)
                read.errors.append((source, error))
                continue
            }
            if last?.topic != topic || last?.source.partition != message.partition {
                let source = TopicPartition(
                    topic: String(cString: rd_kafka_topic_name(topic)), partition: message.partition)
                last = (topic, source, epochs[source])
            }
            guard let source = last?.source, let epoch = last?.epoch else {
                read.dropped += 1
                continue
            }
            read.messages.append(
                KafkaMessage(
                    source, offset: message.offset, key: bytes(message.key, message.key_len),
                    value: bytes(message.payload, message.len), headers: headers(of: pointer),
                    timestamp: rd_kafka_message_timestamp(pointer, nil), epoch: epoch))
        }
        return read
    }

    private func headers(of message: UnsafePointer<rd_kafka_message_t>) -> [KafkaHeader] {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        return (0..<rd_kafka_header_cnt(list)).compactMap { index in
            var name: UnsafePointer<CChar>?
            var value: UnsafeRawPointer?
            var size = 0
            guard rd_kafka_header_get_all(list, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR, let name
            else { return nil }
            return KafkaHeader(name: String(cString: name), value: bytes(value, size))
        }
    }

    // MARK: Offsets

    /// Does not block; false where librdkafka no longer counts the partition as assigned.
    func store(_ partition: TopicPartition, nextOffset: Int64) -> Bool {
        lend { lent in
            withPartitionList(CollectionOfOne(partition), offset: nextOffset) {
                rd_kafka_offsets_store(lent.client, $0) == RD_KAFKA_RESP_ERR_NO_ERROR
            }
        } ?? false
    }

    /// Blocks until the broker has taken the stored offsets.
    func commitStored() throws {
        let code = lend { rd_kafka_commit($0.client, nil, 0) }
        if code == RD_KAFKA_RESP_ERR__NO_OFFSET { return }
        try check(code, "commit")
    }

    /// Blocks until the partition reads from `offset`, but not longer than `timeout`.
    func seek(_ partition: TopicPartition, to offset: Int64, timeout: Duration) throws {
        let failure =
            lend { lent in
                withPartitionList(CollectionOfOne(partition), offset: offset) { list in
                    let timeout = Int32(clamping: timeout.wholeMilliseconds)
                    return code(of: rd_kafka_seek_partitions(lent.client, list, timeout))
                        ?? plain(list.pointee.elems[0].err)
                }
            } ?? (.closed, "")
        if let failure { throw KafkaError(failure.code, failure.text) }
    }

    func pause(_ partition: TopicPartition) throws {
        let code = lend { lent in
            withPartitionList(CollectionOfOne(partition)) { rd_kafka_pause_partitions(lent.client, $0) }
        }
        try check(code, "pause")
    }

    func resume(_ partition: TopicPartition) throws {
        let code = lend { lent in
            withPartitionList(CollectionOfOne(partition)) { rd_kafka_resume_partitions(lent.client, $0) }
        }
        try check(code, "resume")
    }

    // MARK: Leaving

    /// Begins to commit what is stored and to leave the group, which goes on by events; false where it need not.
    func startLeaving() -> Bool {
        lend { code(of: rd_kafka_consumer_close_queue($0.client, $0.events)) == nil } ?? false
    }

    var hasLeft: Bool { lend { rd_kafka_consumer_closed($0.client) != 0 } ?? true }

    private func check(_ code: rd_kafka_resp_err_t?, _ what: String) throws {
        guard let code else { throw KafkaError(.closed) }
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        throw KafkaError(KafkaError.Code(code), what)
    }
}

private func bytes(_ start: UnsafeRawPointer?, _ count: Int) -> [UInt8]? {
    start.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: count)) }
}

import CRDKafka

extension ClientHandle {
    struct PartitionRange {
        let first: Int64
        /// The offset that the next message will get.
        let end: Int64
    }

    /// Blocks until a broker has listed all topics, internal ones left out.
    func listTopics(timeout: Duration) throws -> [TopicSpec] {
        try borrow { lent in
            var metadata: UnsafePointer<rd_kafka_metadata>?
            // All of them, since asking for one by name can bring it into being.
            try check(rd_kafka_metadata(lent.client, 1, nil, &metadata, timeout.asTimeout), "list topics")
            guard let metadata else { return [] }
            defer { rd_kafka_metadata_destroy(metadata) }
            return (0..<Int(metadata.pointee.topic_cnt)).compactMap { index in
                let topic = metadata.pointee.topics[index]
                let name = String(cString: topic.topic)
                guard topic.err == RD_KAFKA_RESP_ERR_NO_ERROR, !name.hasPrefix("__") else { return nil }
                let replicas = topic.partition_cnt > 0 ? Int(topic.partitions[0].replica_cnt) : 0
                return TopicSpec(name, partitions: Int(topic.partition_cnt), replicas: replicas)
            }
        }
    }

    /// Blocks until a broker has been asked for the topic by its name, which may be unknown.
    func mention(_ topic: String, timeout: Duration) throws {
        try borrow { lent in
            guard let handle = lent.topics.handle(topic, of: lent.client) else {
                throw KafkaError(.invalidArgument, "topic \(topic)")
            }
            var metadata: UnsafePointer<rd_kafka_metadata>?
            try check(rd_kafka_metadata(lent.client, 0, handle, &metadata, timeout.asTimeout), topic)
            if let metadata { rd_kafka_metadata_destroy(metadata) }
        }
    }

    /// Blocks until the controller has answered; a result for each topic, nil where it was made.
    func createTopics(_ topics: [TopicSpec], timeout: Duration) throws -> [KafkaError?] {
        try borrow { lent in
            var reason = [CChar](repeating: 0, count: 512)
            var specs: [OpaquePointer?] = []
            defer { for spec in specs { rd_kafka_NewTopic_destroy(spec) } }
            for topic in topics {
                let spec = rd_kafka_NewTopic_new(
                    topic.name, Int32(clamping: topic.partitions), Int32(clamping: topic.replicas), &reason,
                    reason.count)
                guard let spec else { throw KafkaError(.invalidArgument, "topic \(topic)") }
                specs.append(spec)
            }
            let event = try ask(lent, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout) { options, queue in
                rd_kafka_CreateTopics(lent.client, &specs, specs.count, options, queue)
            }
            defer { rd_kafka_event_destroy(event) }
            var count = 0
            let results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
            let errors = (0..<count).reduce(into: [String: KafkaError]()) { errors, index in
                let result = results?[index]
                let code = rd_kafka_topic_result_error(result)
                guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
                let text = rd_kafka_topic_result_error_string(result).map { String(cString: $0) }
                errors[String(cString: rd_kafka_topic_result_name(result))] = KafkaError(KafkaError.Code(code), text)
            }
            return topics.map { errors[$0.name] }
        }
    }

    /// Blocks until the group's coordinator has answered; partitions without a committed offset are left out.
    func committedOffsets(
        of group: String, _ partitions: [TopicPartition], timeout: Duration
    ) throws -> [TopicPartition: Int64] {
        try borrow { lent in
            try withPartitionList(partitions) { list in
                var request: OpaquePointer? = rd_kafka_ListConsumerGroupOffsets_new(group, list)
                defer { rd_kafka_ListConsumerGroupOffsets_destroy(request) }
                let event = try ask(lent, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, timeout) { options, queue in
                    rd_kafka_ListConsumerGroupOffsets(lent.client, &request, 1, options, queue)
                }
                defer { rd_kafka_event_destroy(event) }
                var count = 0
                let result = rd_kafka_event_ListConsumerGroupOffsets_result(event)
                let groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count)
                guard count == 1, let answer = groups?[0] else { return [:] }
                if let error = rd_kafka_group_result_error(answer) {
                    throw KafkaError(
                        KafkaError.Code(rd_kafka_error_code(error)), String(cString: rd_kafka_error_string(error)))
                }
                guard let offsets = rd_kafka_group_result_partitions(answer) else { return [:] }
                return try self.offsets(in: UnsafeMutablePointer(mutating: offsets)).filter { $0.value >= 0 }
            }
        }
    }

    /// Blocks until every partition's leader has answered.
    func ranges(of partitions: [TopicPartition], timeout: Duration) throws -> [TopicPartition: PartitionRange] {
        let first = try logicalOffsets(RD_KAFKA_OFFSET_BEGINNING, partitions, timeout)
        let end = try logicalOffsets(RD_KAFKA_OFFSET_END, partitions, timeout)
        return first.reduce(into: [:]) { ranges, entry in
            guard let end = end[entry.key] else { return }
            ranges[entry.key] = PartitionRange(first: entry.value, end: end)
        }
    }

    /// Blocks until every partition's leader has answered; -1 where it knows of no message from that time on.
    func offsets(at time: Int64, of partitions: [TopicPartition], timeout: Duration) throws -> [TopicPartition: Int64] {
        try borrow { lent in
            try withPartitionList(partitions, offset: time) { list in
                try check(rd_kafka_offsets_for_times(lent.client, list, timeout.asTimeout), "find a time")
                return try offsets(in: list)
            }
        }
    }

    private func logicalOffsets(
        _ which: Int32, _ partitions: [TopicPartition], _ timeout: Duration
    ) throws -> [TopicPartition: Int64] {
        try borrow { lent in
            // The protocol takes the two ends of a partition in place of a time.
            try withPartitionList(partitions, offset: Int64(which)) { list in
                try check(rd_kafka_offsets_for_times(lent.client, list, timeout.asTimeout), "read the partitions' ends")
                return try offsets(in: list)
            }
        }
    }

    private func offsets(
        in list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
    ) throws -> [TopicPartition: Int64] {
        var offsets: [TopicPartition: Int64] = [:]
        for (index, partition) in topicPartitions(list).enumerated() {
            let element = list.pointee.elems[index]
            try check(element.err, "\(partition)")
            offsets[partition] = element.offset
        }
        return offsets
    }

    /// Sends a request and blocks for its answer on a queue of its own.
    private func ask(
        _ lent: Lent, _ operation: rd_kafka_admin_op_t, _ timeout: Duration,
        _ send: (_ options: OpaquePointer?, _ queue: OpaquePointer?) -> Void
    ) throws -> OpaquePointer {
        let queue = rd_kafka_queue_new(lent.client)
        defer { rd_kafka_queue_destroy(queue) }
        let options = rd_kafka_AdminOptions_new(lent.client, operation)
        defer { rd_kafka_AdminOptions_destroy(options) }
        rd_kafka_AdminOptions_set_request_timeout(options, timeout.asTimeout, nil, 0)
        send(options, queue)
        // librdkafka keeps to the timeout; this one is only there so that a thread cannot be lost for good.
        guard let event = rd_kafka_queue_poll(queue, (timeout + .seconds(5)).asTimeout) else {
            throw KafkaError(.timedOut)
        }
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            defer { rd_kafka_event_destroy(event) }
            throw KafkaError(KafkaError.Code(code), rd_kafka_event_error_string(event).map { String(cString: $0) })
        }
        return event
    }

    private func borrow<Result>(_ body: (Lent) throws -> Result) throws -> Result {
        guard let result = try lend(body) else { throw KafkaError(.closed) }
        return result
    }

    private func check(_ code: rd_kafka_resp_err_t, _ what: String) throws {
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        throw KafkaError(KafkaError.Code(code), what)
    }
}

extension Duration {
    fileprivate var asTimeout: Int32 { Int32(clamping: wholeMilliseconds) }
}

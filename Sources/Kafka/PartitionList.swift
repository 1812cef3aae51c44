import CRDKafka

/// Copies out a list that librdkafka owns.
func topicPartitions(_ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> [TopicPartition] {
    (0..<Int(list.pointee.cnt)).map { index in
        let element = list.pointee.elems[index]
        return TopicPartition(topic: String(cString: element.topic), partition: element.partition)
    }
}

/// Lends a C list of the partitions, with offsets where there are any.
func withPartitionList<Result, Failure: Error>(
    _ partitions: some Collection<TopicPartition>, offset: Int64? = nil,
    _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) throws(Failure) -> Result
) throws(Failure) -> Result {
    let list = rd_kafka_topic_partition_list_new(Int32(clamping: partitions.count))!
    defer { rd_kafka_topic_partition_list_destroy(list) }
    for partition in partitions {
        let element = rd_kafka_topic_partition_list_add(list, partition.topic, partition.partition)!
        if let offset { element.pointee.offset = offset }
    }
    return try body(list)
}

/// Takes over and destroys the error object that many calls return, nil being success.
func code(of error: OpaquePointer?) -> (code: KafkaError.Code, text: String)? {
    guard let error else { return nil }
    defer { rd_kafka_error_destroy(error) }
    return (KafkaError.Code(rd_kafka_error_code(error)), String(cString: rd_kafka_error_string(error)))
}

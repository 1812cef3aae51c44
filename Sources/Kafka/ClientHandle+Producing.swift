import CRDKafka

extension ClientHandle {
    enum Stop {
        /// At this index; nothing is wrong with the record itself.
        case queueFull(at: Int)
        case end
        case closed
    }

    /// Queues records in order, from `start` on, until there are no more or no room; hands back what is refused.
    func enqueue(
        _ records: [KafkaRecord], from start: Int, token: (Int) -> UInt, refused: (Int, KafkaError) -> Void
    ) -> Stop {
        lend { lent in
            for index in start..<records.count {
                let code = enqueue(records[index], token: token(index), lent)
                if code == RD_KAFKA_RESP_ERR__QUEUE_FULL { return .queueFull(at: index) }
                if code != RD_KAFKA_RESP_ERR_NO_ERROR {
                    refused(index, KafkaError(KafkaError.Code(code), isFatal: code == RD_KAFKA_RESP_ERR__FATAL))
                }
            }
            return .end
        } ?? .closed
    }

    private func enqueue(_ record: KafkaRecord, token: UInt, _ lent: Lent) -> rd_kafka_resp_err_t {
        guard let topic = lent.topics.handle(record.topic, of: lent.client) else {
            return RD_KAFKA_RESP_ERR__INVALID_ARG
        }
        let headers = headerList(record.headers)
        let code = withBytes(record.value) { value in
            withBytes(record.key) { key in
                withUnsafeTemporaryAllocation(of: rd_kafka_vu_t.self, capacity: 7) { arguments in
                    arguments.initialize(repeating: rd_kafka_vu_t())
                    arguments[0].vtype = RD_KAFKA_VTYPE_RKT
                    arguments[0].u.rkt = topic
                    arguments[1].vtype = RD_KAFKA_VTYPE_PARTITION
                    arguments[1].u.i32 = record.partition ?? RD_KAFKA_PARTITION_UA
                    arguments[2].vtype = RD_KAFKA_VTYPE_VALUE
                    arguments[2].u.mem.ptr = UnsafeMutableRawPointer(mutating: value.start)
                    arguments[2].u.mem.size = value.count
                    arguments[3].vtype = RD_KAFKA_VTYPE_KEY
                    arguments[3].u.mem.ptr = UnsafeMutableRawPointer(mutating: key.start)
                    arguments[3].u.mem.size = key.count
                    arguments[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS
                    arguments[4].u.i = RD_KAFKA_MSG_F_COPY
                    arguments[5].vtype = RD_KAFKA_VTYPE_OPAQUE
                    arguments[5].u.ptr = UnsafeMutableRawPointer(bitPattern: token)
                    arguments[6].vtype = RD_KAFKA_VTYPE_HEADERS
                    arguments[6].u.headers = headers
                    let error = rd_kafka_produceva(lent.client, arguments.baseAddress, headers == nil ? 6 : 7)
                    guard let error else { return RD_KAFKA_RESP_ERR_NO_ERROR }
                    defer { rd_kafka_error_destroy(error) }
                    return rd_kafka_error_code(error)
                }
            }
        }
        // Only a record that was taken takes its headers along.
        if code != RD_KAFKA_RESP_ERR_NO_ERROR, let headers { rd_kafka_headers_destroy(headers) }
        return code
    }

    private func headerList(_ headers: [KafkaHeader]) -> OpaquePointer? {
        guard !headers.isEmpty else { return nil }
        let list = rd_kafka_headers_new(headers.count)!
        for header in headers {
            var name = header.name
            name.withUTF8 { name in
                name.withMemoryRebound(to: CChar.self) { name in
                    withBytes(header.value) { value in
                        _ = rd_kafka_header_add(list, name.baseAddress, name.count, value.start, value.count)
                    }
                }
            }
        }
        return list
    }

    /// Fails what is still queued or unanswered; the reports come on the event queue.
    func purge(includingInFlight: Bool) {
        lend { lent in
            _ = rd_kafka_purge(
                lent.client,
                RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING
                    | (includingInFlight ? RD_KAFKA_PURGE_F_INFLIGHT : 0))
        }
    }
}

/// Lends bytes to C such that none at all (a null pointer) and an empty array stay apart.
private func withBytes<Result>(_ bytes: [UInt8]?, _ body: ((start: UnsafeRawPointer?, count: Int)) -> Result) -> Result
{
    guard let bytes else { return body((nil, 0)) }
    guard !bytes.isEmpty else {
        return withUnsafeBytes(of: UInt8(0)) { body(($0.baseAddress, 0)) }
    }
    return bytes.withUnsafeBytes { body(($0.baseAddress, $0.count)) }
}

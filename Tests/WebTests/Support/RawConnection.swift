import Foundation
import Kernel

/// One TCP connection to the server under test, that says exactly the bytes it is told to.
final class RawConnection: Sendable {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            Foundation.close(descriptor)
            throw SocketFailure("connect: errno \(errno)")
        }
    }

    deinit { Foundation.close(descriptor) }

    /// Sends the bytes, and reads one answer.
    func exchange(_ bytes: [UInt8], isHead: Bool = false) async throws -> Answer {
        try await onThread { [self] in
            try sendAll(bytes)
            return try readAnswer(isHead: isHead)
        }
    }

    func send(_ text: String) async throws {
        try await onThread { [self] in try sendAll(Array(text.utf8)) }
    }

    func receive() async throws -> Answer {
        try await onThread { [self] in try readAnswer(isHead: false) }
    }

    /// True once the server has closed its side; false where it sends something instead.
    func isClosedByServer() async throws -> Bool {
        try await onThread { [self] in
            var byte: UInt8 = 0
            let count = recv(descriptor, &byte, 1, 0)
            if count < 0 && errno == EAGAIN { throw SocketFailure("the server neither sent nor closed") }
            return count <= 0
        }
    }

    private func sendAll(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            // The server may answer and close before it has read all: what it said is still to be read.
            if count <= 0 { return }
            sent += count
        }
    }

    private func readAnswer(isHead: Bool) throws -> Answer {
        var received: [UInt8] = []
        let blank: [UInt8] = [13, 10, 13, 10]
        while received.suffix(4) != blank[...] { received.append(try readByte()) }
        var answer = Answer(head: String(decoding: received, as: UTF8.self))
        let length = isHead ? 0 : answer["content-length"].flatMap { Int($0) } ?? 0
        while answer.body.count < length { answer.body.append(try readByte()) }
        return answer
    }

    private func readByte() throws -> UInt8 {
        var byte: UInt8 = 0
        guard recv(descriptor, &byte, 1, 0) == 1 else { throw SocketFailure("the connection ended (errno \(errno))") }
        return byte
    }
}

struct SocketFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

struct Answer: Sendable {
    let status: Int
    let headers: [(name: String, value: String)]
    var body: [UInt8] = []

    init(head: String) {
        let lines = head.split(separator: "\r\n")
        status = Int(lines.first?.split(separator: " ").dropFirst().first ?? "") ?? 0
        headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (parts[0].lowercased(), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
        }
    }

    subscript(header: String) -> String? {
        headers.first { $0.name == header.lowercased() }?.value
    }

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: JSON { get throws { try JSON.parse(body) } }

    /// The slug of the problem, where this is a proper one for its status.
    var problem: String? {
        get throws {
            guard self["content-type"] == "application/problem+json" else { return nil }
            let json = try json
            guard json["status"]?.int64 == Int64(status), json["requestId"]?.string == self["x-request-id"],
                json["title"]?.string?.isEmpty == false
            else { return nil }
            return json["type"]?.string?.replacing("https://atrium.dev/problems/", with: "")
        }
    }

    /// Where the problem's errors point.
    var places: [String] {
        get throws {
            try (json["errors"]?.elements ?? []).compactMap {
                ($0["pointer"] ?? $0["parameter"] ?? $0["header"])?.string
            }
        }
    }
}

/// Blocking calls on a thread of their own: the server under test needs the cooperative ones.
func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}

/// How far a server's write-ahead log had come when something was written: whoever brings it reads that, or newer.
package struct ConsistencyToken: Hashable, Sendable {
    package let server: String
    /// The log sequence number.
    package let position: UInt64

    package init(server: String, position: UInt64) {
        self.server = server
        self.position = position
    }

    /// Reads `v1.<server>.<position in hexadecimal>`.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "v1", (1...40).contains(parts[1].utf8.count),
            parts[1].utf8.allSatisfy({ byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "-")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            }), (1...16).contains(parts[2].utf8.count), let position = UInt64(parts[2], radix: 16)
        else { return nil }
        server = String(parts[1])
        self.position = position
    }

    /// The later of two of one server; of different servers, this one.
    package func merged(with other: ConsistencyToken) -> ConsistencyToken {
        server == other.server && other.position > position ? other : self
    }

    /// As PostgreSQL writes a `pg_lsn`.
    var logPosition: String {
        String(position >> 32, radix: 16, uppercase: true) + "/"
            + String(position & 0xFFFF_FFFF, radix: 16, uppercase: true)
    }

    /// Reads a `pg_lsn` as PostgreSQL writes it.
    package static func position(_ text: String) -> UInt64? {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let high = UInt64(parts[0], radix: 16), let low = UInt64(parts[1], radix: 16),
            high <= 0xFFFF_FFFF, low <= 0xFFFF_FFFF
        else { return nil }
        return high << 32 | low
    }
}

extension ConsistencyToken: CustomStringConvertible {
    package var description: String { "v1.\(server).\(String(position, radix: 16))" }
}

/// What a read must show.
package enum ReadNeed: Hashable, Sendable {
    /// Everything committed before it.
    case latest
    /// What the bearer of the token has written or seen, or newer.
    case atLeast(ConsistencyToken)
    /// Any replica that keeps up.
    case any
}

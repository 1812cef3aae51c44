import Foundation

/// Ports of the loopback interface.
package enum FreePort {
    /// A port nobody listens on at this moment.
    package static func find() throws -> Int {
        try bind(0)
    }

    package static func isFree(_ port: Int) -> Bool {
        (try? bind(port)) != nil
    }

    private static func bind(_ port: Int) throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else {
            throw DevStackError(.portTaken, "No socket could be made: \(String(cString: strerror(errno))).")
        }
        defer { close(descriptor) }
        // As the servers do: a port whose last connections are only lingering counts as free.
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(descriptor, $0, length) }
        }
        guard bound == 0 else {
            throw DevStackError(
                .portTaken, "Port \(port) of 127.0.0.1 is taken. Stop what listens there (ss -ltnp), or choose another."
            )
        }
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &length) }
        }
        return Int(in_port_t(bigEndian: address.sin_port))
    }
}

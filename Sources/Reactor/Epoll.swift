import Glibc

/// An epoll instance: which descriptors are watched, and which of them are ready.
///
/// Swift's Glibc module leaves `<sys/epoll.h>` out, so the three calls are looked up by name.
struct Epoll: Sendable {
    private let descriptor: Int32

    init() throws(SystemCallError) {
        descriptor = epollCreate(closeOnExec)
        guard descriptor >= 0 else { throw SystemCallError("epoll_create1") }
    }

    func add(_ fd: Int32, token: UInt64, _ interest: Readiness) throws(SystemCallError) {
        guard control(1, fd, token, interest) == 0 else { throw SystemCallError("epoll_ctl(ADD)") }
    }

    func modify(_ fd: Int32, token: UInt64, _ interest: Readiness) throws(SystemCallError) {
        guard control(3, fd, token, interest) == 0 else { throw SystemCallError("epoll_ctl(MOD)") }
    }

    func remove(_ fd: Int32) {
        _ = control(2, fd, 0, [])
    }

    /// Sleeps until something is ready or `milliseconds` have passed (-1: no limit).
    func wait(milliseconds: Int32, into events: inout Events) {
        events.count = Int(max(0, epollWait(descriptor, events.memory, Int32(Events.capacity), milliseconds)))
    }

    func close() {
        _ = Glibc.close(descriptor)
    }

    private func control(_ operation: Int32, _ fd: Int32, _ token: UInt64, _ interest: Readiness) -> Int32 {
        withUnsafeTemporaryAllocation(byteCount: Events.stride, alignment: 8) { event in
            event.storeBytes(of: interest.epollFlags, as: UInt32.self)
            event.storeBytes(of: token, toByteOffset: Events.tokenOffset, as: UInt64.self)
            return epollControl(descriptor, operation, fd, event.baseAddress!)
        }
    }

    /// What one wait reported.
    struct Events: ~Copyable {
        static let capacity = 128
        // The kernel packs `struct epoll_event` on x86-64 and nowhere else.
        #if arch(x86_64)
            static let tokenOffset = 4
            static let stride = 12
        #else
            static let tokenOffset = 8
            static let stride = 16
        #endif

        fileprivate let memory = UnsafeMutableRawPointer.allocate(byteCount: capacity * stride, alignment: 8)
        fileprivate(set) var count = 0

        deinit { memory.deallocate() }

        subscript(index: Int) -> (token: UInt64, readiness: Readiness) {
            let event = memory + index * Self.stride
            let token = event.loadUnaligned(fromByteOffset: Self.tokenOffset, as: UInt64.self)
            return (token, Readiness(epollFlags: event.loadUnaligned(as: UInt32.self)))
        }
    }
}

extension Readiness {
    fileprivate var epollFlags: UInt32 {
        (contains(.read) ? 0x2001 : 0) | (contains(.write) ? 0x004 : 0)
    }

    // An error or a hang-up is ready for both: whoever reads or writes next is told by that call what is wrong.
    fileprivate init(epollFlags flags: UInt32) {
        self = flags & 0x018 != 0 ? [.read, .write] : []
        if flags & 0x2001 != 0 { insert(.read) }
        if flags & 0x004 != 0 { insert(.write) }
    }
}

/// A descriptor that other threads, and C libraries, make readable to wake a reactor (eventfd).
package final class WakeDescriptor: Sendable {
    package let fd: Int32

    package init() throws {
        fd = eventDescriptor(0, closeOnExec | nonBlocking)
        guard fd >= 0 else { throw SystemCallError("eventfd") }
    }

    deinit { _ = close(fd) }

    /// What a C library must write to the descriptor to wake its reader: eight bytes in the machine's order.
    package static let payload: UInt64 = 1

    package func signal() {
        var one = Self.payload
        _ = write(fd, &one, 8)
    }

    /// Makes the descriptor unreadable until the next signal.
    package func clear() {
        var count: UInt64 = 0
        _ = read(fd, &count, 8)
    }
}

/// A call to the kernel that failed, with its `errno`.
package struct SystemCallError: Error, Hashable, CustomStringConvertible {
    package let call: String
    package let code: Int32

    init(_ call: String) {
        self.call = call
        code = errno
    }

    package var description: String { "\(call): \(String(cString: strerror(code)))" }
}

private let closeOnExec: Int32 = 0o2_000_000
private let nonBlocking: Int32 = 0o4_000

private let epollCreate: @convention(c) (Int32) -> Int32 = symbol("epoll_create1")
private let epollControl: @convention(c) (Int32, Int32, Int32, UnsafeMutableRawPointer) -> Int32 = symbol("epoll_ctl")
private let epollWait: @convention(c) (Int32, UnsafeMutableRawPointer, Int32, Int32) -> Int32 = symbol("epoll_wait")
private let eventDescriptor: @convention(c) (UInt32, Int32) -> Int32 = symbol("eventfd")

func symbol<Function>(_ name: String) -> Function {
    guard let address = dlsym(nil, name) else {
        fatalError("the C library has no \(name): Atrium needs Linux with glibc 2.9 or newer")
    }
    return unsafeBitCast(address, to: Function.self)
}

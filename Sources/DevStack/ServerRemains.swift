import Foundation

/// What a killed run may have left behind: server processes that still sit in a data folder.
///
/// A postmaster and everything it starts have the data folder as their working folder, which tells them from a stranger
/// who was given the number in `postmaster.pid`.
enum ServerRemains {
    static func processes(in data: String) -> [Int32] {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let folder = realpath(data, &buffer) == nil ? data : text(buffer)
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { Int32($0) } ?? []
        return numbers.filter { number in
            guard let place = link("/proc/\(number)/cwd"), place == folder || place == "\(folder) (deleted)" else {
                return false
            }
            // A person's shell may stand in the folder too.
            return readFile("/proc/\(number)/comm")?.hasPrefix("postgres") == true
        }
    }

    /// Stops the server of a killed run, first asking it to write all to the disk; true when there was one.
    static func end(in data: String) async throws -> Bool {
        let found = processes(in: data)
        guard !found.isEmpty else { return false }
        for (signal, patience) in [(SIGINT, Duration.seconds(8)), (SIGQUIT, .seconds(3)), (SIGKILL, .seconds(3))] {
            let left = processes(in: data)
            for number in signal == SIGKILL ? left : postmasters(of: left) { kill(number, signal) }
            if try await areGone(from: data, within: patience) { return true }
        }
        throw DevStackError(
            .folderInUse,
            """
            A PostgreSQL server of an earlier run still uses \(data) and cannot be ended (process \
            \(processes(in: data).map(String.init).joined(separator: ", "))). End it and start again.
            """)
    }

    /// Waits for processes that are not ours to wait for: the kernel has no event for them that Swift can reach, so this
    /// looks every 10 ms.
    static func areGone(from data: String, within patience: Duration) async throws -> Bool {
        let clock = ContinuousClock()
        let end = clock.now + patience
        while !processes(in: data).isEmpty {
            guard clock.now < end else { return false }
            try await clock.sleep(for: .milliseconds(10))
        }
        return true
    }

    private static func postmasters(of numbers: [Int32]) -> [Int32] {
        numbers.filter { number in
            guard let parent = parent(of: number) else { return true }
            return !numbers.contains(parent)
        }
    }

    private static func parent(of number: Int32) -> Int32? {
        // "7 (name) S 1 …": the name may hold blanks and brackets, so count from the last bracket.
        guard let line = readFile("/proc/\(number)/stat"), let bracket = line.lastIndex(of: ")") else { return nil }
        let fields = line[line.index(after: bracket)...].split(separator: " ")
        return fields.count > 1 ? Int32(fields[1]) : nil
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        return readlink(path, &buffer, buffer.count - 1) > 0 ? text(buffer) : nil
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

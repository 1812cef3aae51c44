import DevStack
import Foundation
import TestSupport
import Testing

@Suite("A program started by Atrium")
struct ProgramTests {
    private let shell = "/bin/sh"

    @Test("is handed its words, its input and nothing but its environment")
    func run() async throws {
        let answer = try await ChildProcess.run(
            Program(
                shell, ["-c", "cat; echo \"$1 $WORD ${HOME-none}\" >&2; exit 3", "sh", "it's \"one\" word"],
                environment: ["PATH": "/usr/bin:/bin", "WORD": "é"], input: Array("fed".utf8)))
        #expect(answer.output == "fed")
        #expect(answer.errors == "it's \"one\" word é none\n")
        #expect(answer.status == .exited(3))
    }

    @Test("may print more than a pipe holds, on both streams")
    func large() async throws {
        let answer = try await ChildProcess.run(
            Program(shell, ["-c", "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2"]))
        #expect(answer.outputBytes.count == 300_000)
        #expect(answer.errorBytes.count == 300_000)
    }

    @Test("inherits no ignored or blocked signal and no open file")
    func inheritance() async throws {
        await #expect(processExitsWith: .success) {
            let leaked = open("/dev/null", O_RDONLY)
            #expect(leaked >= 3)
            for number in [SIGINT, SIGTERM, SIGPIPE] { signal(number, SIG_IGN) }
            let answer = try await ChildProcess.run(
                Program("/bin/sh", ["-c", "grep -E 'Sig(Ign|Blk)' /proc/self/status; ls /proc/self/fd"]))
            let lines = answer.output.split(separator: "\n")
            #expect(lines.count == 6)
            for line in lines.prefix(2) {
                let mask = try #require(line.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) })
                // Signals from 32 up are the C library's own.
                #expect(mask & 0x7fff_ffff == 0, "\(line)")
            }
            // 3 is the folder that ls itself reads.
            #expect(lines.dropFirst(2) == ["0", "1", "2", "3"])
        }
    }

    @Test("has a process group of its own, which a terminal's Ctrl-C does not reach")
    func group() async throws {
        let child = try await ChildProcess.start(Program("/bin/sleep", ["600"]))
        #expect(getpgid(child.processID) == child.processID)
        child.send(SIGKILL)
        #expect(try await child.waitForExit() == .signalled(SIGKILL))
        #expect(!child.isRunning)
    }

    @Test("dies when its starter is killed, even when a short-lived thread asked for it")
    func deathSignal() async throws {
        let folder = try await TestFolder.make()
        let place = folder.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [place = place as String] in
            let child = try await ChildProcess.start(Program("/bin/sleep", ["600"]))
            try "\(child.processID)".write(toFile: "\(place)/number", atomically: true, encoding: .utf8)
            kill(getpid(), SIGKILL)
        }
        let number = try #require(Int32(try whole("\(place)/number")))
        try await Waiting.until("the program has ended") { !isAlive(number) }
        try await folder.remove()
    }

    @Test("outlives the thread that asked for it")
    func threads() async throws {
        let child = try await withCheckedThrowingContinuation { (done: CheckedContinuation<ChildProcess, any Error>) in
            Thread.detachNewThread {
                Task {
                    do {
                        done.resume(returning: try await ChildProcess.start(Program("/bin/sleep", ["600"])))
                    } catch {
                        done.resume(throwing: error)
                    }
                }
            }
        }
        // Long enough for a thread that only started a program to have ended.
        let again = try await ChildProcess.run(Program("/bin/sleep", ["0.2"]))
        #expect(again.status.isSuccess)
        #expect(child.isRunning)
        child.send(SIGKILL)
    }

    @Test("is killed when the task that runs it is cancelled or its time is up")
    func cancelled() async throws {
        let folder = try await TestFolder.make()
        let file = "\(folder.path)/number"
        let program = Program(shell, ["-c", "echo $$ > \(file).new && mv \(file).new \(file); exec sleep 600"])
        let task = Task { try await ChildProcess.run(program) }
        try await Waiting.until("it runs") { access(file, F_OK) == 0 }
        let number = try #require(Int32(try whole(file).trimmingCharacters(in: .newlines)))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        try await Waiting.until("it has ended") { !isAlive(number) }
        let error = await #expect(throws: DevStackError.self) {
            try await ChildProcess.run(Program("/bin/sleep", ["600"]), within: .milliseconds(20))
        }
        #expect(error?.code == .tooLate)
        try await folder.remove()
    }

    @Test("announces its lines to those who wait before and after they come")
    func lines() async throws {
        let folder = try await TestFolder.make()
        let child = try await ChildProcess.start(
            Program(shell, ["-c", "echo one; echo two; printf three"]), log: "\(folder.path)/log")
        #expect(try await child.waitForLine { $0.hasPrefix("tw") } == "two")
        #expect(try await child.waitForLine { $0.hasPrefix("o") } == "one")
        #expect(try await child.waitForLine { $0.hasPrefix("th") } == "three")
        #expect(try await child.waitForLine { $0.hasPrefix("four") } == nil)
        #expect(try whole("\(folder.path)/log") == "one\ntwo\nthree")
        try await folder.remove()
    }

    @Test("that does not exist is named")
    func missing() async throws {
        let answer = try await ChildProcess.run(Program("/nowhere/at-all"))
        #expect(!answer.status.isSuccess)
        #expect(answer.errors.contains("/nowhere/at-all"))
        let error = await #expect(throws: DevStackError.self) {
            try await ChildProcess.run(Program("/nowhere/at-all", deathSignal: nil))
        }
        #expect(error?.message.contains("/nowhere/at-all") == true)
    }
}

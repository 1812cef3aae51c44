import ArgumentParser
import DecisionRecords
import Foundation

@main
enum Entry {
    static func main() {
        let surroundings = Surroundings.ofProcess()
        var arguments = Array(CommandLine.arguments.dropFirst())
        let program = CommandLine.arguments.first ?? "adr"
        // What shells' completion of adr-tools calls, by a link of that name or as a command.
        let isCompletion = program.split(separator: "/").last == "_adr_autocomplete"
        do {
            let mode = try AdrToolsMode(surroundings)
            if isCompletion || arguments.first == "_adr_autocomplete" {
                if !isCompletion { arguments.removeFirst() }
                mode.adrTools(program).complete(arguments)
                return
            }
            if mode.takes(arguments.first) { exit(mode.adrTools(program).run(arguments)) }
        } catch {
            Terminal.complain("Error: \(error)")
            exit(2)
        }
        do {
            var command = try Adr.parseAsRoot(arguments)
            try command.run()
        } catch {
            let code = Adr.exitCode(for: error)
            if code.isSuccess || error is ExitCode { Adr.exit(withError: error) }
            Terminal.complain(Adr.fullMessage(for: error))
            // 1 is for findings.
            exit(2)
        }
    }
}

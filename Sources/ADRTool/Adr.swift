import ArgumentParser
import DecisionRecords

struct Adr: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adr",
        abstract: "Keeps architecture decision records: files of Markdown beside the code.",
        discussion: """
            The records are in the folder that .adr-dir names, or in doc/adr, docs/adr, docs/decisions or \
            doc/decisions, here or above. Settings are in .adr.yaml beside them.

            ADR_COMPATIBILITY=adr-tools, or `compatibility: adr-tools` in .adr.yaml, makes it speak as adr-tools does: \
            its commands, output and spelling.

            It ends with 0, with 1 where `doctor` or `renumber` found something to look at, and with 2 where it \
            couldn't do as asked.
            """,
        subcommands: [
            Init.self, New.self, List.self, Show.self, Search.self, Status.self, Link.self, Config.self, Generate.self,
            Doctor.self, Renumber.self,
        ])
}

/// Which folder a command is about.
struct Place: ParsableArguments {
    @Option(name: [.customShort("C"), .long], help: "The folder of the records, in place of the one that is found.")
    var folder: String?

    func open() throws -> RecordFolder {
        try RecordFolder.required(from: .ofProcess(), named: folder)
    }
}

extension RecordStatus: ExpressibleByArgument {}
extension Template: ExpressibleByArgument {}

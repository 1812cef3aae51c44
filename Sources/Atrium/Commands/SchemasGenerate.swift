import ArgumentParser
import EventLanguage
import Foundation

struct SchemasGenerate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Writes the Swift types of all events from schemas/events into Modules/*/Contracts/Generated.")

    @OptionGroup var folder: ProjectFolder
    @Flag(help: "Write nothing; end with 1 where a file is not what the schemas say.")
    var check = false

    func run() async throws {
        let files = try ContractFiles(EventSchema.all(below: folder.eventSchemas))
        for path in files.strangers(below: folder.url) {
            print("note: \(path) was not generated and stays as it is; it belongs elsewhere")
        }
        if check {
            let differences = try files.differences(below: folder.url)
            for difference in differences { print(difference) }
            guard differences.isEmpty else {
                print("Run: atrium schemas generate")
                throw ExitCode(1)
            }
            print("\(files.texts.count) files are what the schemas say")
        } else {
            let changed = try files.write(below: folder.url)
            for path in changed { print(path) }
            print("\(changed.count) of \(files.texts.count) files changed")
        }
    }
}

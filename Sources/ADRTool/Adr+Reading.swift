import ArgumentParser
import DecisionRecords
import Foundation

/// Which records a command is about.
struct Choice: ParsableArguments {
    @Option(help: "Only those with this status; can be given more than once.")
    var status: [RecordStatus] = []
    @Option(help: "Only those with this tag; all of them, where it is given more than once.")
    var tag: [String] = []

    func of(_ folder: RecordFolder) throws -> [Record] {
        try folder.records().filter { record in
            (status.isEmpty || record.status.map(status.contains) == true) && tag.allSatisfy(record.tags.contains)
        }
    }
}

extension Adr {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the records.")

        @OptionGroup var place: Place
        @OptionGroup var choice: Choice
        @Flag(help: "Prints their paths alone.")
        var paths = false
        @Flag(help: "Prints JSON.")
        var json = false

        func validate() throws {
            if paths, json { throw ValidationError("--paths and --json are two ways to print: choose one") }
        }

        func run() throws {
            let folder = try place.open()
            let records = try choice.of(folder)
            let reports = RecordReports(folder, records)
            if json {
                Terminal.say(try reports.json(withSections: false))
            } else if paths {
                for record in records { Terminal.say(folder.shown(record)) }
            } else if !records.isEmpty {
                Terminal.say(reports.table)
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints a record.")

        @OptionGroup var place: Place
        @Flag(help: "Prints JSON, with the sections.")
        var json = false
        @Argument(help: "A number, or a part of the file's name.")
        var record: String

        func run() throws {
            let folder = try place.open()
            let found = try folder.resolve(record, in: folder.records())
            if json {
                Terminal.say(try RecordReports(folder, [found]).json(withSections: true))
            } else {
                FileHandle.standardOutput.write(Data(found.document.bytes))
            }
        }
    }

    struct Search: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Finds the records that have all of these words in them, whatever their case.")

        @OptionGroup var place: Place
        @OptionGroup var choice: Choice
        @Argument(help: "Words.")
        var words: [String]

        func run() throws {
            let folder = try place.open()
            for (record, line, text) in folder.search(words, in: try choice.of(folder)) {
                Terminal.say("\(folder.shown(record)):\(line): \(text)")
            }
        }
    }

    struct Config: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints what it goes by.")

        @OptionGroup var place: Place

        func run() throws {
            let folder = try place.open()
            Terminal.say("folder: \(folder.surroundings.shown(folder.path))")
            Terminal.say("compatibility: \(folder.settings.speaksAdrTools ? "adr-tools" : "native")")
            Terminal.say("template: \(folder.settings.template.rawValue)")
            Terminal.say("status: \(folder.settings.status.rawValue)")
            for path in folder.settings.unread { Terminal.say("unread: \(path)") }
            for ignored in folder.settings.ignored {
                Terminal.say("ignore: \(ignored.rule.rawValue) at \(ignored.at ?? "any place"): \(ignored.reason)")
            }
        }
    }

    struct Doctor: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Looks for what is wrong with the records and with what names them.",
            discussion: """
                It ends with 1 where it found an error, or with --strict a warning. The rules: \(Rule.names). One is \
                ignored by an entry of `ignore` in .adr.yaml: rule, at (a number or a path), reason.
                """)

        enum Format: String, ExpressibleByArgument {
            case text
            case json
            case sarif
        }

        @OptionGroup var place: Place
        @Option(help: "Looks at what merging this commit into HEAD would make, without merging.")
        var mergeWith: String?
        @Option(help: "text, json or sarif.")
        var format = Format.text
        @Flag(help: "Takes warnings for errors.")
        var strict = false

        func run() throws {
            let doctor = try DecisionRecords.Doctor(place.open(), mergedWith: mergeWith)
            let report = FindingReport(doctor.findings())
            switch format {
            case .text: Terminal.say(report.text)
            case .json: Terminal.say(try report.json())
            case .sarif: Terminal.say(try report.sarif())
            }
            let counts = report.open.contains { $0.level == .error || strict && $0.level == .warning }
            if counts { throw ExitCode(1) }
        }
    }
}

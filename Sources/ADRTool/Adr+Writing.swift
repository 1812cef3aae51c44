import ArgumentParser
import DecisionRecords

extension Adr {
    struct Init: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a folder of records, and the first record in it.",
            discussion: "A folder with records is taken as it is. A name that nobody would look for goes to .adr-dir.")

        @Argument(help: "The folder; docs/adr where none is named.")
        var folder: String?
        @Option(help: "The template of new records: \(Template.names).")
        var template: Template?

        func run() throws {
            let (folder, record) = try RecordFolder.begin(in: folder, template: template, from: .ofProcess())
            let path = folder.surroundings.shown(folder.path)
            Terminal.say(record.map { "\(path)/\($0)" } ?? "\(path) has records already")
        }
    }

    struct New: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a record, opens it in VISUAL or EDITOR, and prints its path.",
            discussion: "A file templates/template.md beside the records is the template, unless --template is given.")

        @OptionGroup var place: Place
        @Option(name: .shortAndLong, help: "A record that this one supersedes; both will say so.")
        var supersedes: [String] = []
        @Option(name: .shortAndLong, help: "TARGET:LINK:REVERSE-LINK, as in \"3:Amends:Amended by\".")
        var link: [String] = []
        @Option(help: "One of \(Template.names).")
        var template: Template?
        @Option(help: "proposed, accepted, rejected or deprecated.")
        var status: RecordStatus?
        @Option(help: "A tag; can be given more than once.")
        var tag: [String] = []
        @Argument(help: "The title.")
        var title: [String]

        func run() throws {
            let folder = try place.open()
            var draft = RecordDraft(title: title.joined(separator: " "))
            (draft.template, draft.status, draft.tags, draft.superseded) = (template, status, tag, supersedes)
            draft.links = try link.map { try RecordDraft.Link($0) }
            let path = folder.surroundings.shown("\(folder.path)/\(try folder.create(draft))")
            try folder.surroundings.edit(path)
            Terminal.say(path)
        }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Moves a record on in its life.",
            discussion: """
                proposed → accepted, rejected, superseded; accepted → deprecated, superseded; \
                rejected → proposed; deprecated → accepted, superseded. What is superseded stays so.
                """)

        @OptionGroup var place: Place
        @Argument(help: "A number, or a part of the file's name.")
        var record: String
        @Argument(help: "The new status.")
        var status: RecordStatus
        @Option(help: "The record that supersedes it; both will say so.")
        var by: String?

        func run() throws {
            try place.open().setStatus(of: record, to: status, by: by)
        }
    }

    struct Link: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Links two records, each to the other: adr link 12 Amends 10 \"Amended by\".")

        @OptionGroup var place: Place
        @Argument(help: "A number, or a part of the file's name.")
        var source: String
        @Argument(help: "What the source says of the target.")
        var link: String
        @Argument(help: "A number, or a part of the file's name.")
        var target: String
        @Argument(help: "What the target says of the source.")
        var reverseLink: String

        func run() throws {
            try place.open().link(source, link, target, reverseLink)
        }
    }

    struct Renumber: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives a record another number, and everything that names it with it.",
            discussion: """
                Files that git ignores are left alone. Where two records have one number, a mention by number alone \
                can mean either: those on lines added since the commit that --since names are changed, and the others are \
                listed, with exit code 1.
                """)

        @OptionGroup var place: Place
        @Option(help: "The new number; the next that is free where none is given.")
        var to: Int?
        @Option(help: "The branch that the record's own came from, such as origin/main.")
        var since: String?
        @Argument(help: "The record's file, since its number can mean two.")
        var record: String

        func run() throws {
            let done = try place.open().renumber(record, to: to, since: since)
            Terminal.say("\(done.from) is now \(done.to)")
            for path in done.changed { Terminal.say("changed \(path)") }
            guard !done.left.isEmpty else { return }
            Terminal.say("These may mean either record and were left:")
            for line in done.left { Terminal.say("  \(line)") }
            throw ExitCode(1)
        }
    }
}

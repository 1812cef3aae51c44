import DecisionRecords
import Foundation
import Testing

@Suite("Making a record")
struct CreationTests {
    @Test("begins with a folder and a first record, and does it once")
    func beginning() throws {
        let scratch = try Scratch()
        let first = try RecordFolder.begin(in: "notes/decisions", from: scratch.surroundings())
        #expect(first.record == "0001-record-architecture-decisions.md")
        #expect(try scratch.text(".adr-dir") == "notes/decisions\n")
        let again = try RecordFolder.begin(in: "notes/decisions", from: scratch.surroundings())
        #expect(again.record == nil)
        #expect(try again.folder.records().count == 1)
        #expect(throws: RecordError.self) {
            try RecordFolder.begin(in: "elsewhere", from: scratch.surroundings())
        }
    }

    @Test("finds the folder from folders below, and none where there is none")
    func finding() throws {
        let scratch = try Scratch(["docs/adr/0001-a.md": "", "src/deep/code.txt": ""])
        let folder = try RecordFolder.required(from: scratch.surroundings("src/deep"), named: nil)
        #expect(try folder.records().map(folder.shown) == ["../../docs/adr/0001-a.md"])
        let empty = try Scratch()
        #expect(throws: RecordError.self) { try RecordFolder.required(from: empty.surroundings(), named: nil) }
    }

    @Test("gives each of many at once a number of its own")
    func concurrency() async throws {
        let scratch = try Scratch(["docs/adr/0001-a.md": Sample.nygard(1, "A")])
        let folder = try scratch.folder()
        let paths = try await withThrowingTaskGroup(of: String.self) { group in
            for index in 0..<12 { group.addTask { try folder.create(RecordDraft(title: "Decision \(index)")) } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(Set(try folder.records().compactMap(\.number)) == Set(1...13))
        #expect(paths.count == 12)
        #expect(try scratch.files().filter { $0.contains(".adr-") }.isEmpty)
    }

    @Test(
        "makes a file's name of any title",
        arguments: [
            ("Use “quotes” / slashes\\and: more", "use-quotes-slashes-and-more"), ("使用 队列", "使用-队列"),
            ("Ünïcode Änderung", "ünïcode-änderung"), ("???", "untitled"), ("  two   words ", "two-words"),
            ("../../etc/passwd", "etc-passwd"),
        ])
    func slugs(_ title: String, _ slug: String) throws {
        let scratch = try Scratch(["docs/adr/.keep": ""])
        let path = try scratch.folder().create(RecordDraft(title: title))
        #expect(path == "0001-\(slug).md")
    }

    @Test("counts on past 9999, and past files that are no records")
    func highNumbers() throws {
        let scratch = try Scratch(["docs/adr/9999-a.md": ""])
        #expect(try scratch.folder().create(RecordDraft(title: "b")) == "10000-b.md")
        #expect(try scratch.folder().create(RecordDraft(title: "c")) == "10001-c.md")
    }

    @Test("writes every template with what is known filled in, and reads it back", arguments: Template.allCases)
    func templates(_ template: Template) throws {
        let scratch = try Scratch(["docs/adr/.keep": ""])
        var draft = RecordDraft(title: "Use STATUS & DATE | $1 \\n")
        (draft.template, draft.status, draft.tags) = (template, .accepted, ["storage", "cost"])
        let folder = try scratch.folder()
        _ = try folder.create(draft)
        let record = try #require(try folder.records().first)
        #expect(record.title == "Use STATUS & DATE | $1 \\n")
        #expect(record.status == .accepted && record.date == "1992-01-12" && record.tags == ["storage", "cost"])
        #expect(record.metadata.mistake == nil)
    }

    @Test("supersedes and links, and both sides say so", arguments: Template.allCases)
    func relations(_ template: Template) throws {
        let scratch = try Scratch(["docs/adr/.adr.yaml": "template: \(template.rawValue)\nstatus: accepted\n"])
        let folder = try scratch.folder()
        for title in ["One", "Two"] { _ = try folder.create(RecordDraft(title: title)) }
        var draft = RecordDraft(title: "Three")
        draft.superseded = ["1"]
        draft.links = [try RecordDraft.Link("2:Amends:Amended by")]
        _ = try folder.create(draft)
        let records = try folder.records()
        #expect(records.map(\.status) == [.superseded, .accepted, .accepted])
        #expect(records[0].metadata.relations.contains { $0.isSupersededBy })
        #expect(records[2].metadata.relations.map(\.label) == ["Supersedes", "Amends"])
        #expect(records[1].metadata.relations.map(\.label) == ["Amended by"])
        let found = try Doctor(folder).findings()
        #expect(found.filter { $0.level == .error || $0.rule == .oneSidedLink } == [])
    }

    @Test("writes nothing where what it names is not there")
    func nothingLost() throws {
        let scratch = try Scratch(["docs/adr/0001-a.md": Sample.nygard(1, "A")])
        let before = try scratch.files()
        var draft = RecordDraft(title: "B")
        draft.superseded = ["1", "7"]
        #expect(throws: RecordError.self) { try scratch.folder().create(draft) }
        #expect(throws: RecordError.self) { try scratch.folder().create(RecordDraft(title: " \n ")) }
        #expect(try scratch.files() == before)
        #expect(try scratch.text("docs/adr/0001-a.md") == Sample.nygard(1, "A"))
    }

    @Test("changes the file behind a symbolic link, and leaves the link")
    func symbolicLinks() throws {
        let scratch = try Scratch([
            "real/0001-a.md": Sample.nygard(1, "A"), "docs/adr/0002-b.md": Sample.nygard(2, "B"),
        ])
        let link = "\(scratch.path)/docs/adr/0001-a.md"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "../../real/0001-a.md")
        try scratch.folder().setStatus(of: "1", to: .deprecated)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "../../real/0001-a.md")
        #expect(try scratch.text("real/0001-a.md") == Sample.nygard(1, "A", status: "Deprecated"))
    }

    @Test("reads nested folders, and links from one to another")
    func nested() throws {
        let scratch = try Scratch([
            "docs/adr/web/0001-a.md": Sample.nygard(1, "A"), "docs/adr/0001-b.md": Sample.nygard(1, "B"),
        ])
        let folder = try scratch.folder()
        try folder.link("web/0001-a.md", "Extends", "0001-b.md", "Extended by")
        #expect(try scratch.text("docs/adr/web/0001-a.md").contains("Extends [1. B](../0001-b.md)"))
        #expect(try scratch.text("docs/adr/0001-b.md").contains("Extended by [1. A](web/0001-a.md)"))
        #expect(throws: RecordError.self) { try folder.resolve("1", in: folder.records()) }
    }
}

@Suite("A status")
struct StatusTests {
    @Test(
        "moves on where its life allows it, and nowhere else", arguments: RecordStatus.allCases, RecordStatus.allCases)
    func moves(_ from: RecordStatus, _ to: RecordStatus) throws {
        guard to != .superseded, from != to else { return }
        let word = from == .superseded ? "Superseded by [2. B](0002-b.md)" : from.rawValue.capitalized
        let scratch = try Scratch(["docs/adr/0001-a.md": Sample.nygard(1, "A", status: word)])
        let folder = try scratch.folder()
        if from.next.contains(to) {
            try folder.setStatus(of: "1", to: to)
            #expect(try scratch.text("docs/adr/0001-a.md") == Sample.nygard(1, "A", status: to.rawValue.capitalized))
        } else {
            #expect(throws: RecordError.self) { try folder.setStatus(of: "1", to: to) }
            #expect(try scratch.text("docs/adr/0001-a.md") == Sample.nygard(1, "A", status: word))
        }
    }

    @Test(
        "changes alone, and every other byte stays",
        arguments: [
            (
                "---\r\nstatus: \"proposed\" # for now\r\n---\r\n# A",
                "---\r\nstatus: \"accepted\" # for now\r\n---\r\n# A"
            ),
            ("---\nstatus: proposed\n---\n# A\n", "---\nstatus: accepted\n---\n# A\n"),
            ("---\ndate: 2024-01-01\n---\n# A\n", "---\nstatus: accepted\ndate: 2024-01-01\n---\n# A\n"),
            ("# A\n\n* Status: proposed\n* Date: x\n", "# A\n\n* Status: accepted\n* Date: x\n"),
            ("# A\n\n**Status:** Proposed\n", "# A\n\n**Status:** Accepted\n"),
            (
                "\u{FEFF}# A\n\n## Status\n\nProposed. See [b](b.md).",
                "\u{FEFF}# A\n\n## Status\n\nAccepted. See [b](b.md)."
            ),
        ])
    func bytes(_ before: String, _ after: String) throws {
        let scratch = try Scratch(["docs/adr/0001-a.md": before])
        try scratch.folder().setStatus(of: "1", to: .accepted)
        #expect(Array(try scratch.text("docs/adr/0001-a.md").utf8) == Array(after.utf8))
    }

    @Test("of superseded names what takes the record's place, and links both")
    func superseding() throws {
        let scratch = try Scratch([
            "docs/adr/0001-a.md": Sample.nygard(1, "A"), "docs/adr/0002-b.md": Sample.nygard(2, "B"),
        ])
        let folder = try scratch.folder()
        #expect(throws: RecordError.self) { try folder.setStatus(of: "1", to: .superseded) }
        #expect(throws: RecordError.self) { try folder.setStatus(of: "1", to: .superseded, by: "1") }
        #expect(throws: RecordError.self) { try folder.setStatus(of: "1", to: .deprecated, by: "2") }
        try folder.setStatus(of: "1", to: .superseded, by: "2")
        #expect(try scratch.text("docs/adr/0001-a.md").contains("\nSuperseded by [2. B](0002-b.md)\n"))
        #expect(try scratch.text("docs/adr/0002-b.md").contains("\nSupersedes [1. A](0001-a.md)\n"))
    }

    @Test("that spans lines is left for its people")
    func listStatus() throws {
        let text = "---\nstatus:\n  - proposed\n---\n# A\n"
        let scratch = try Scratch(["docs/adr/0001-a.md": text])
        #expect(throws: RecordError.self) { try scratch.folder().setStatus(of: "1", to: .accepted) }
        #expect(try scratch.text("docs/adr/0001-a.md") == text)
    }
}

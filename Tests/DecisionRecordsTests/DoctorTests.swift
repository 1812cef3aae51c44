import DecisionRecords
import Foundation
import Testing

@Suite("The doctor")
struct DoctorTests {
    private static func findings(_ files: [String: String]) throws -> [Finding] {
        let scratch = try Scratch(files)
        return try Doctor(scratch.folder()).findings()
    }

    private static let healthy = [
        "docs/adr/0001-a.md": Sample.nygard(1, "A", status: "Superseded by [2. B](0002-b.md)"),
        "docs/adr/0002-b.md": Sample.nygard(2, "B", status: "Accepted\n\nSupersedes [1. A](0001-a.md)"),
    ]

    @Test("finds nothing where nothing is wrong")
    func health() throws {
        #expect(try Self.findings(Self.healthy).isEmpty)
        #expect(try Self.findings(["docs/adr/.keep": ""]).isEmpty)
    }

    static let faults: [(Rule, String, String, Int)] = [
        (.duplicateNumber, "0002-c.md", Sample.nygard(2, "C"), 1),
        (.missingNumber, "0004-d.md", Sample.nygard(4, "D"), 1),
        (.titleNumber, "0003-c.md", Sample.nygard(4, "C"), 1),
        (.titleSlug, "0003-x.md", Sample.nygard(3, "C"), 1),
        (.missingTitle, "0003-c.md", "## Status\n\nAccepted\n", 1),
        (.frontMatter, "0003-c.md", "---\nstatus: accepted\ndate: [\n---\n# C\n", 4),
        (.missingStatus, "0003-c.md", "# 3. C\n\nText.\n", 1),
        (.unknownStatus, "0003-c.md", Sample.nygard(3, "C", status: "Under way"), 7),
        (.supersededAlone, "0003-c.md", Sample.nygard(3, "C", status: "Superseded"), 7),
        (.deadLink, "0003-c.md", Sample.nygard(3, "C") + "\n[x](0009-x.md)\n", 21),
        (.oneSidedLink, "0003-c.md", Sample.nygard(3, "C", status: "Accepted\n\nAmends [2. B](0002-b.md)"), 9),
        (.oneSidedLink, "0003-c.md", Sample.nygard(3, "C", status: "Accepted\n\nSupersedes [2. B](0002-b.md)"), 9),
        (.emptySection, "0003-c.md", Sample.nygard(3, "C") + "\n## More\n\n", 21),
        (.deadMention, "0003-c.md", Sample.nygard(3, "C") + "\nSee ADR 99.\n", 21),
    ]

    @Test("finds each fault once, with its line", arguments: DoctorTests.faults.indices)
    func fault(_ index: Int) throws {
        let (rule, name, text, line) = Self.faults[index]
        let found = try Self.findings(Self.healthy.merging(["docs/adr/\(name)": text]) { $1 })
        #expect(found.map(\.rule) == [rule], "\(found)")
        #expect(found.first?.path.hasSuffix(name) == true)
        if rule != .frontMatter { #expect(found.first?.line == line) }
    }

    @Test("has a planted fault for every rule", arguments: Rule.allCases)
    func complete(_ rule: Rule) {
        #expect(Self.faults.contains { $0.0 == rule })
    }

    @Test("leaves code and links out of the project alone")
    func noFalseAlarm() throws {
        let links = "\n`[x](nothing.md)` [y](https://example.com/x.md) [z](#decision)\n"
        let text = Sample.nygard(3, "C") + links + "\n```\n[w](none.md)\n```\n"
        #expect(try Self.findings(Self.healthy.merging(["docs/adr/0003-c.md": text]) { $1 }).isEmpty)
    }

    @Test("finds mentions in the code of the project, and `record` in comments alone")
    func mentions() throws {
        let scratch = try Scratch(
            Self.healthy.merging([
                "code.swift": "// As ADR 2 says, and record 7 does not.\nlet record = record 8\nfoo() // ADR-0041\n",
                "README.md": "See record 9 and record 1.\n", "ignored/x.md": "ADR 50\n", ".gitignore": "ignored\n",
            ]) { $1 })
        try scratch.git("init")
        let found = try Doctor(scratch.folder()).findings()
        #expect(found.map { "\($0.path):\($0.line)" } == ["README.md:1", "code.swift:1", "code.swift:3"])
        #expect(found.allSatisfy { $0.rule == .deadMention })
    }

    @Test("sees the collision that a merge would make, and merges nothing")
    func mergedTree() throws {
        let scratch = try Scratch(Self.healthy)
        try scratch.git("init")
        try scratch.git("add", ".")
        try scratch.git("commit", "-m", "two")
        try scratch.git("checkout", "-b", "side")
        try scratch.write(Sample.nygard(3, "Theirs"), to: "docs/adr/0003-theirs.md")
        try scratch.git("add", ".")
        try scratch.git("commit", "-m", "theirs")
        try scratch.git("checkout", "main")
        try scratch.write(Sample.nygard(3, "Ours"), to: "docs/adr/0003-ours.md")
        try scratch.git("add", ".")
        try scratch.git("commit", "-m", "ours")
        let folder = try scratch.folder()
        #expect(try Doctor(folder).findings().isEmpty)
        let found = try Doctor(folder, mergedWith: "side").findings()
        #expect(found.map(\.rule) == [.duplicateNumber])
        #expect(try scratch.files().count == 3 + 2)
        #expect(throws: RecordError.self) { try Doctor(folder, mergedWith: "nowhere") }
        #expect(throws: RecordError.self) { try Doctor(folder, mergedWith: "--help") }
    }

    @Test("is silent about what the settings ignore for a reason, and says so in SARIF")
    func ignoring() throws {
        let settings = "ignore:\n  - rule: unknown-status\n    at: 3\n    reason: taken over as it was\n"
        let scratch = try Scratch(
            Self.healthy.merging([
                "docs/adr/0003-c.md": Sample.nygard(3, "C", status: "Under way"), "docs/adr/.adr.yaml": settings,
            ]) { $1 })
        let report = FindingReport(try Doctor(scratch.folder()).findings())
        #expect(report.open.isEmpty && report.text == "0 errors, 0 warnings, 0 notes, 1 ignored")
        let sarif = try report.sarif()
        #expect(sarif.contains("\"justification\" : \"taken over as it was\""))
        let log = try #require(try JSONSerialization.jsonObject(with: Data(sarif.utf8)) as? [String: Any])
        #expect(log["version"] as? String == "2.1.0")
    }

    @Test(
        "refuses settings that it can't read, and says where",
        arguments: [
            "ignore:\n  - rule: dead-link\n", "ignore:\n  - rule: nonsense\n    reason: x\n", "colour: red\n",
            "template: word\n", "a: [", "- list\n", "compatibility: yes\n", "ignore: 3\n", "status: superseded\n",
        ])
    func badSettings(_ text: String) throws {
        let scratch = try Scratch(["docs/adr/.adr.yaml": text])
        #expect(throws: RecordError.self) { try scratch.folder() }
    }
}

@Suite("Renumbering")
struct RenumberingTests {
    @Test("takes links, their texts, paths in code and mentions with it")
    func everything() throws {
        let scratch = try Scratch([
            "docs/adr/0001-a.md": Sample.nygard(1, "A", status: "Accepted\n\nAmends [2. B](0002-b.md)"),
            "docs/adr/0002-b.md": Sample.nygard(2, "B", status: "Accepted\n\nAmended by [1. A](0001-a.md)"),
            "code.swift": "// See docs/adr/0002-b.md and ADR-0002, not 0002-bc.md nor ADR 21.\n",
            "README.md": "[The second](docs/adr/0002-b.md#status), record 2.\r\n",
        ])
        try scratch.git("init")
        let done = try scratch.folder().renumber("0002-b.md", to: 9)
        #expect(done.to == "docs/adr/0009-b.md" && done.left.isEmpty)
        #expect(try scratch.text("docs/adr/0009-b.md").hasPrefix("# 9. B\n"))
        #expect(try scratch.text("docs/adr/0001-a.md").contains("Amends [9. B](0009-b.md)"))
        #expect(
            try scratch.text("code.swift") == "// See docs/adr/0009-b.md and ADR-0009, not 0002-bc.md nor ADR 21.\n")
        #expect(
            Array(try scratch.text("README.md").utf8)
                == Array("[The second](docs/adr/0009-b.md#status), record 9.\r\n".utf8))
        #expect(try !scratch.files().contains("docs/adr/0002-b.md"))
    }

    @Test("of a collision leaves what may mean the other record, and takes what came with the branch")
    func collision() throws {
        let scratch = try Scratch([
            "docs/adr/0001-a.md": Sample.nygard(1, "A"), "docs/adr/0002-old.md": Sample.nygard(2, "Old"),
            "notes.md": "ADR 2 is the old one.\n",
        ])
        try scratch.git("init")
        try scratch.git("add", ".")
        try scratch.git("commit", "-m", "before")
        try scratch.git("checkout", "-b", "side")
        try scratch.write(Sample.nygard(2, "New"), to: "docs/adr/0002-new.md")
        try scratch.write("ADR 2 is the old one.\nADR 2 is the new one.\n", to: "notes.md")
        try scratch.git("add", ".")
        try scratch.git("commit", "-m", "new")
        #expect(throws: RecordError.self) { try scratch.folder().renumber("2", to: nil) }
        let done = try scratch.folder().renumber("0002-new.md", to: nil, since: "main")
        #expect(done.to == "docs/adr/0003-new.md")
        #expect(try scratch.text("notes.md") == "ADR 2 is the old one.\nADR 3 is the new one.\n")
        #expect(done.left == ["notes.md:1: ADR 2 is the old one."])
        #expect(try Doctor(scratch.folder()).findings().isEmpty)
    }

    @Test("goes on where git has more to say than anybody reads meanwhile", .timeLimit(.minutes(1)))
    func talkativeGit() throws {
        let scratch = try Scratch(["docs/adr/0001-a.md": Sample.nygard(1, "A")])
        try scratch.git("init")
        let names = (0..<1200).map { "src/\(String(repeating: "long-", count: 10))\($0).txt" }
        for name in names { try scratch.write("one\n", to: name) }
        try scratch.git("add", ".")
        try scratch.git("commit", "-m", "all")
        // A line of warning for each of them: more than a pipe holds.
        try scratch.git("config", "core.autocrlf", "input")
        try scratch.git("config", "core.safecrlf", "warn")
        for name in names { try scratch.write("one\r\ntwo\r\n", to: name) }
        let done = try scratch.folder().renumber("1", to: 7, since: "HEAD")
        #expect(done.to == "docs/adr/0007-a.md")
    }

    @Test("refuses a number that is taken, and one that it has")
    func refusals() throws {
        let scratch = try Scratch([
            "docs/adr/0001-a.md": Sample.nygard(1, "A"), "docs/adr/0002-b.md": Sample.nygard(2, "B"),
        ])
        for number in [1, 2, -1] {
            #expect(throws: RecordError.self) { try scratch.folder().renumber("0002-b.md", to: number) }
        }
        #expect(try scratch.files().filter { $0.hasSuffix(".md") } == ["docs/adr/0001-a.md", "docs/adr/0002-b.md"])
    }
}

@Suite("Reports")
struct ReportTests {
    @Test("are a table, contents, a graph and JSON")
    func all() throws {
        let scratch = try Scratch([
            "docs/adr/0001-a.md": Sample.nygard(1, "A [x] \"y\"", status: "Accepted\n\nAmended by [2. B](0002-b.md)"),
            "docs/adr/0002-b.md": Sample.nygard(2, "B", status: "Proposed\n\nAmends [1. A](0001-a.md)"),
        ])
        let folder = try scratch.folder()
        let reports = RecordReports(folder, try folder.records())
        #expect(reports.table == "0001  accepted  1992-01-12  A [x] \"y\"\n0002  proposed  1992-01-12  B")
        let contents = reports.tableOfContents(intro: "In.\n", outro: nil, prefix: "d/")
        #expect(
            contents == """
                # Architecture Decision Records

                In.

                * [1. A \\[x\\] "y"](d/0001-a.md)
                * [2. B](d/0002-b.md)
                """)
        let graph = reports.graph(prefix: "", ending: ".html")
        #expect(graph.contains("_1 [label=\"1. A [x] \\\"y\\\"\""))
        #expect(graph.contains("_2 -> _1 [label=\"Amends\", weight=0];"))
        let json = try JSONSerialization.jsonObject(with: Data(try reports.json(withSections: true).utf8))
        let entries = try #require(json as? [[String: Any]])
        #expect(entries.map { $0["status"] as? String } == ["accepted", "proposed"])
        #expect((entries[1]["links"] as? [[String: String]])?.first?["target"] == "docs/adr/0001-a.md")
    }

    @Test("find the records that have all the words")
    func search() throws {
        let scratch = try Scratch([
            "docs/adr/0001-a.md": "# A\n\nUse Queues\n", "docs/adr/0002-b.md": "# B\n\nqueues\n",
        ])
        let folder = try scratch.folder()
        let found = folder.search(["queues", "use"], in: try folder.records())
        #expect(found.map(\.line) == [3])
    }
}

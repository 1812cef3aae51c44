import DecisionRecords
import Testing

@Suite("A document")
struct DocumentTests {
    @Test(
        "is written back byte for byte",
        arguments: [
            "", "\n", "# 1. One\n", "no final newline", "# 1. One\r\n\r\ntext\r\n", "mixed\r\nends\nhere",
            "\u{FEFF}# 1. One\n", "\u{FEFF}", "a\rb\n", "# 決定\n\n## Status\n\n承認\n", "\n\n\n", "tab\t \n  ",
        ])
    func roundTrip(_ text: String) {
        #expect(Document(text).bytes == Array(text.utf8))
    }

    @Test("that is no UTF-8 is written back byte for byte too")
    func otherBytes() {
        let bytes: [UInt8] = [0x23, 0x20, 0xFF, 0xFE, 0x0D, 0x0A, 0x80, 0x0A, 0xC3]
        #expect(Document(bytes).bytes == bytes)
    }

    @Test("keeps its kind of line ending where lines are added, and its missing final newline apart")
    func endings() {
        var document = Document("a\r\nb")
        document.insert(["c"], at: 2)
        #expect(document.text == "a\r\nb\r\nc\r\n")
    }
}

@Suite("A record")
struct RecordTests {
    private static func record(_ name: String, _ text: String) throws -> Record {
        try #require(Record(path: name, bytes: Array(text.utf8)))
    }

    @Test("in Nygard's form tells number, title, date and status")
    func nygard() throws {
        let record = try Self.record("0012-use-queues.md", Sample.nygard(12, "Use queues"))
        #expect(record.number == 12 && record.titleNumber == 12 && record.title == "Use queues")
        #expect(record.status == .accepted && record.date == "1992-01-12")
        #expect(record.sections.map(\.title) == ["Status", "Context", "Decision", "Consequences"])
    }

    @Test(
        "tells its status, whatever else its line says",
        arguments: [
            ("Accepted", RecordStatus.accepted), ("**Accepted**", .accepted),
            ("Accepted; supersedes how record 6 does it", .accepted),
            ("Superceded by [3. C](0003-c.md)", .superseded),
            ("Old words\n\nSuperceded by [3. C](0003-c.md)", .superseded),
            ("Accepted\n\nAmends [1. A](0001-a.md)", .accepted), ("deprecated", .deprecated),
        ])
    func statuses(_ text: String, _ status: RecordStatus) throws {
        #expect(try Self.record("0001-a.md", Sample.nygard(1, "A", status: text)).status == status)
    }

    @Test("keeps a status that nobody knows as it is written")
    func unknownStatus() throws {
        let record = try Self.record("0001-a.md", Sample.nygard(1, "A", status: "Under way"))
        #expect(record.status == nil && record.metadata.statusText == "Under way")
    }

    @Test("in MADR's form tells its front matter, with lists, quotes and comments")
    func madr() throws {
        let text = """
            ---
            # optional
            status: "superseded by ADR-0123"  # why not
            date: 2024-09-17
            tags: [storage, cost]
            ---

            # Use a cache

            ## Context and Problem Statement

            ```
            # 9. no title
            ## Status
            ```
            """
        let record = try Self.record("0007-use-a-cache.md", text)
        #expect(record.status == .superseded && record.date == "2024-09-17" && record.tags == ["storage", "cost"])
        #expect(record.title == "Use a cache" && record.titleNumber == nil)
        #expect(record.metadata.relations.map(\.target) == [.number(123)])
        #expect(record.sections.count == 1)
    }

    @Test("of log4brains is named by its day and tells its list")
    func log4brains() throws {
        let status = "superseded by [20210102-b](20210102-b.md)"
        let text = "# Use a cache\n\n- Status: \(status)\n- Date: 2020-12-31\n- Tags: a, b\n"
        let record = try Self.record("20201230-use-a-cache.md", text)
        #expect(record.number == nil && record.name.date == "2020-12-30" && record.date == "2020-12-31")
        #expect(record.status == .superseded && record.tags == ["a", "b"])
        #expect(record.metadata.relations.map(\.target) == [.file("20210102-b.md")])
    }

    @Test(
        "has the number that its file's name begins with",
        arguments: [
            ("0001-a.md", 1), ("12345-a.md", 12345), ("ADR-0007-b.md", 7), ("adr_7_b.md", 7), ("3.md", 3),
            ("0000-use-markdown.md", 0), ("20269999-no-day.md", 20_269_999),
        ])
    func numbers(_ name: String, _ number: Int) throws {
        #expect(RecordName(file: name)?.number == number)
    }

    @Test("is no file of another name", arguments: ["README.md", "0001-a.txt", "template.md", "1a.md", ".md"])
    func otherFiles(_ name: String) {
        #expect(RecordName(file: name) == nil)
    }

    @Test("without a title, with one in another script or underlined is read all the same")
    func titles() throws {
        #expect(try Self.record("0001-a.md", "text\n").title == nil)
        #expect(try Self.record("0001-a.md", "# 1. 使用队列\n").title == "使用队列")
        #expect(try Self.record("0001-a.md", "1. Use \"it\" / that\n===\n").title == "Use \"it\" / that")
        #expect(try Self.record("0001-a.md", "# ADR-0001: Use it\n").titleNumber == 1)
        #expect(try Self.record("0001-a.md", "# 3 layers\n").titleNumber == nil)
    }

    @Test("with front matter that is no YAML says where, and is read as far as it goes")
    func badFrontMatter() throws {
        let record = try Self.record("0001-a.md", "---\nstatus: accepted\ndate: [\n---\n# A\n")
        #expect(record.metadata.mistake != nil && record.title == "A")
    }

    @Test(
        "is mentioned by its number in words, and not by others",
        arguments: [
            ("see ADR 12", [12]), ("ADR-0012, record 3 and records 4", [12, 3, 4]), ("(adr #7)", [7]),
            ("recorded 12 times", []), ("record12x", []), ("ADR 1.5", []), ("ADR 12.", [12]), ("quadr 12", []),
            ("record 12% of it", []), ("docs/adr/0012-a.md", []),
        ])
    func mentions(_ text: String, _ numbers: [Int]) {
        #expect(Mention.numbers(in: text) == numbers)
    }
}

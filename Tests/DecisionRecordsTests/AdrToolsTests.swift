import DecisionRecords
import Foundation
import Testing

@Suite("Speaking as adr-tools")
struct AdrToolsTests {
    @Test("begins in doc/adr, or in the folder that is named, and numbers on from there")
    func beginning() throws {
        let scratch = try Scratch()
        #expect(scratch.adrTools("init").output == ["doc/adr/0001-record-architecture-decisions.md"])
        let text = try scratch.text("doc/adr/0001-record-architecture-decisions.md")
        #expect(
            text.hasPrefix("# 1. Record architecture decisions\n\nDate: 1992-01-12\n\n## Status\n\nAccepted\n"))
        #expect(scratch.adrTools("new", "Use", "Queues").output == ["doc/adr/0002-use-queues.md"])
        let other = try Scratch()
        #expect(other.adrTools("init", "adrs").output == ["adrs/0001-record-architecture-decisions.md"])
        #expect(try other.text(".adr-dir") == "adrs\n")
    }

    @Test("finds the folder from below and writes paths from there")
    func below() throws {
        let scratch = try Scratch(["sub/x.txt": ""])
        scratch.adrTools("init", "log")
        #expect(scratch.adrTools("new", "B", in: "sub").output == ["../log/0002-b.md"])
        #expect(scratch.adrTools("list", in: "sub").output.last == "../log/0002-b.md")
    }

    @Test("refuses what adr-tools refuses, in its words")
    func refusals() throws {
        let scratch = try Scratch()
        #expect(scratch.adrTools("list").output == ["The doc/adr directory does not exist"])
        #expect(scratch.adrTools("list").code == 1)
        #expect(scratch.adrTools("new").output == ["ERROR: no title given"])
        #expect(scratch.adrTools("new").code == 1)
        #expect(scratch.adrTools("frobnicate").code == 1)
        #expect(scratch.adrTools("new", "-s", "7", "A").code == 2)
        #expect(try scratch.files().filter { $0.hasSuffix(".md") }.isEmpty)
    }

    @Test("supersedes with its spelling, in place of Accepted")
    func spelling() throws {
        let scratch = try Scratch()
        scratch.adrTools("new", "First")
        scratch.adrTools("new", "-s", "1", "-l", "1:Clarifies:Clarified by", "Second")
        let first = try scratch.text("doc/adr/0001-first.md")
        let second = try scratch.text("doc/adr/0002-second.md")
        let superseded = "## Status\n\nSuperceded by [2. Second](0002-second.md)\n\n"
        #expect(first.contains(superseded + "Clarified by [2. Second](0002-second.md)\n\n## Context"))
        let told = "## Status\n\nAccepted\n\nSupercedes [1. First](0001-first.md)\n\n"
        #expect(second.contains(told + "Clarifies [1. First](0001-first.md)\n\n## Context"))
        #expect(Record(path: "0001-first.md", bytes: Array(first.utf8))?.status == .superseded)
    }

    @Test("makes the names of files as adr-tools does, and of dashes at the ends nothing")
    func names() throws {
        let scratch = try Scratch()
        #expect(scratch.adrTools("new", "On", "Node.JS/Deno").output == ["doc/adr/0001-on-node-js-deno.md"])
        #expect(scratch.adrTools("new", "--", "-Edge-").output == ["doc/adr/0002-edge.md"])
        for _ in 3...9 { scratch.adrTools("new", "x") }
        #expect(scratch.adrTools("new", "x").output == ["doc/adr/0010-x.md"])
    }

    @Test("uses the project's template, and fills a title that holds a placeholder once")
    func template() throws {
        let scratch = try Scratch(["doc/adr/templates/template.md": "# TITLE\n\nNUMBER of DATE, STATUS\n"])
        scratch.adrTools("new", "Keep DATE & | STATUS", environment: ["ADR_DATE": "2001-02-03"])
        let text = try scratch.text("doc/adr/0001-keep-date-status.md")
        #expect(text == "# Keep DATE & | STATUS\n\n1 of 2001-02-03, Accepted\n")
    }

    @Test("opens VISUAL before EDITOR, with the path, before it is printed")
    func editor() throws {
        let scratch = try Scratch()
        let names = ["VISUAL": "sh -c 'echo visual $0 > seen'", "EDITOR": "sh -c 'echo editor $0 > seen'"]
        scratch.adrTools("new", "A", environment: names)
        #expect(try scratch.text("seen") == "visual doc/adr/0001-a.md\n")
        scratch.adrTools("new", "B", environment: names.merging(["VISUAL": ""]) { $1 })
        #expect(try scratch.text("seen") == "editor doc/adr/0002-b.md\n")
    }

    @Test("links both ways, and prints contents and graph")
    func reports() throws {
        let scratch = try Scratch(["intro.md": "Before.\n", "outro.md": "After.\n"])
        for title in ["A", "B"] { scratch.adrTools("new", title) }
        #expect(scratch.adrTools("link", "2", "Amends", "1", "Amended by").code == 0)
        let toc = scratch.adrTools("generate", "toc", "-i", "intro.md", "-o", "outro.md", "-p", "x/").output
        #expect(
            toc.joined(separator: "\n") + "\n" == """
                # Architecture Decision Records

                Before.

                * [1. A](x/0001-a.md)
                * [2. B](x/0002-b.md)

                After.

                """)
        let graph = scratch.adrTools("generate", "graph", "-e", ".pdf").output.joined(separator: "\n")
        #expect(graph.contains("    _1 [label=\"1. A\"; URL=\"0001-a.pdf\"];"))
        #expect(graph.contains("    _1 -> _2 [style=\"dotted\", weight=1];"))
        #expect(graph.contains("  _2 -> _1 [label=\"Amends\", weight=0]\n}"))
        #expect(!graph.contains("Amended by"))
    }

    @Test("turns old dates into new ones, in files with any line ending")
    func dates() throws {
        let scratch = try Scratch(["doc/adr/0001-a.md": "# 1. A\r\n\r\nDate: 12/01/1992\r\n"])
        #expect(scratch.adrTools("upgrade-repository").code == 0)
        #expect(Array(try scratch.text("doc/adr/0001-a.md").utf8) == Array("# 1. A\r\n\r\nDate: 1992-01-12\r\n".utf8))
    }

    @Test("completes commands")
    func completion() throws {
        let scratch = try Scratch()
        func complete(_ words: String...) -> [String] {
            var output: [String] = []
            let tool = AdrTools(
                surroundings: scratch.surroundings(), program: "adr", print: { output.append($0) }, complain: { _ in })
            tool.complete(words)
            return output
        }
        #expect(complete("adr") == ["config generate help init link list new upgrade-repository"])
        #expect(complete("adr", "li") == ["link list"])
        #expect(complete("adr", "generate") == ["graph toc"])
        #expect(complete("adr", "generate", "to") == ["toc"])
        #expect(complete("adr", "nothing") == [""])
    }
}

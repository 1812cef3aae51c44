import DevStack
import Foundation
import TestSupport
import Testing

@Suite("The schemas' commands", .showsPrograms)
struct SchemasCommandTests {
    private static let placed = "orders/order.placed.v1.json"

    private static func schema(_ properties: String, required: String = "\"a\"", _ more: String = "") -> String {
        #"{"type": "object", "required": [\#(required)], "properties": {\#(properties)}\#(more)}"#
    }

    private static let first = schema(#""a": {"type": "string"}"#)
    private static let wider = schema(#""a": {"type": "string"}, "b": {"type": "integer"}"#)
    private static let broken = schema(#""a": {"type": "integer"}"#)

    @Test("find what breaks a published schema, with file, pointer, rule, verdict and reason")
    func breaking() async throws {
        try await GitFolder.with { git in
            try git.write(Self.placed, Self.first)
            try await git.commit("first")
            try git.write(Self.placed, Self.wider)
            let fine = try await git.check("--against", "HEAD")
            #expect(fine.exit == .exited(0), "\(fine.lines)")
            #expect(fine.lines.first?.hasPrefix("\(Self.placed)\t/properties/b\tproperty-added\tcompatible\t") == true)
            #expect(fine.has("1 schemas against HEAD ("), "\(fine.lines)")

            try git.write(Self.placed, Self.broken)
            let found = try await git.check("--against", "HEAD")
            #expect(found.exit == .exited(1), "\(found.lines)")
            #expect(
                found.lines.first
                    == "\(Self.placed)\t/properties/a/type\ttype\tbreaking\t"
                    + "the old schema allows string, which the new schema doesn't; "
                    + "the new schema allows integer, which the old schema doesn't", "\(found.lines)")
            let json = try await git.check("--against", "HEAD", "--json")
            let answer = try JSONValue(parsing: Data(json.lines.joined().utf8))
            #expect(json.exit == .exited(1) && answer["breaking"] == 1, "\(json.lines)")
            #expect(answer["findings"]?.array?.first?["mode"] == "FULL_TRANSITIVE")

            try git.remove(Self.placed)
            let deleted = try await git.check("--against", "HEAD")
            #expect(deleted.exit == .exited(1) && deleted.has("version-deleted\tbreaking"), "\(deleted.lines)")
        }
    }

    @Test("warn of a version that is published past its sunset, without refusing anything")
    func sunset() async throws {
        try await GitFolder.with { git in
            func until(_ year: Int) -> String {
                Self.schema(
                    #""a": {"type": "string"}"#, required: #""a""#,
                    #", "x-deprecated": {"from": "2019-01-01", "sunset": "\#(year)-01-01", "migration": "read v2"}"#)
            }
            try git.write(Self.placed, until(2020))
            // Nobody publishes this one.
            try git.write("orders/order.mislaid.v1.json", until(2020))
            // Also where there is nothing to compare with.
            let alone = try await git.check()
            #expect(
                alone.exit == .exited(0) && alone.has("warning: \(Self.placed) is published still"), "\(alone.lines)")
            try await git.commit("first")
            let late = try await git.check("--against", "HEAD")
            #expect(late.exit == .exited(0), "\(late.lines)")
            #expect(late.lines.count { $0.hasPrefix("warning: ") && $0.contains("2020-01-01") } == 1, "\(late.lines)")
            let json = try await git.check("--against", "HEAD", "--json")
            let answer = try JSONValue(parsing: Data(json.lines.joined().utf8))
            #expect(answer["warnings"]?.array?.count == 1 && answer["breaking"] == 0, "\(json.lines)")

            try git.write(Self.placed, until(2999))
            let later = try await git.check("--against", "HEAD")
            #expect(later.exit == .exited(0) && !later.has("warning: "), "\(later.lines)")
        }
    }

    @Test("take a mode and a policy from the command line, and from compatibility.json")
    func modes() async throws {
        try await GitFolder.with { git in
            try git.write(Self.placed, Self.first)
            try await git.commit("first")
            try git.write(Self.placed, Self.wider)
            let strict = try await git.check("--against", "HEAD", "--policy", "strict")
            #expect(strict.exit == .exited(1) && strict.has("property-added\tbreaking"), "\(strict.lines)")
            let forward = try await git.check("--against", "HEAD", "--policy", "STRICT", "--mode", "forward-transitive")
            #expect(forward.exit == .exited(0), "\(forward.lines)")
            try git.writeBeside("compatibility.json", #"{"facts": {"orders/order.placed": {"policy": "STRICT"}}}"#)
            #expect(try await git.check("--against", "HEAD").exit == .exited(1))
            try git.writeBeside("compatibility.json", #"{"mode": "NEARLY"}"#)
            let unknown = try await git.check("--against", "HEAD")
            #expect(
                unknown.exit == .exited(2) && unknown.has("compatibility.json: /mode is none of"), "\(unknown.lines)")
        }
    }

    @Test("hold a schema to every state it ever had, and say which one it breaks")
    func history() async throws {
        try await GitFolder.with { git in
            try git.write(Self.placed, Self.schema(#""a": {"type": "string", "maxLength": 9}"#))
            let long = try await git.commit("with a limit")
            try git.write(Self.placed, Self.first)
            try await git.commit("without")
            try git.write(Self.placed, Self.wider)
            let transitive = try await git.check("--against", "HEAD")
            #expect(transitive.exit == .exited(1) && transitive.has("max-length\tbreaking"), "\(transitive.lines)")
            #expect(try await git.check("--against", "HEAD", "--mode", "FULL").exit == .exited(0))
            let json = try await git.check("--against", "HEAD", "--json")
            #expect(json.has("\"against\":\"\(long.prefix(9)):\(Self.placed)\""), "\(json.lines)")
        }
    }

    @Test("find by themselves what to compare with")
    func base() async throws {
        try await GitFolder.with { git in
            try git.write(Self.placed, Self.first)
            let none = try await git.check()
            #expect(none.exit == .exited(0) && none.has("note: there is no commit yet"), "\(none.lines)")
            try await git.commit("first")
            let first = try await git.check()
            #expect(first.exit == .exited(0) && first.has("note: this is the first commit"), "\(first.lines)")

            try await git.run("checkout", "-q", "-b", "work")
            try git.write(Self.placed, Self.broken)
            try await git.commit("broken on a branch")
            let branch = try await git.check()
            #expect(branch.exit == .exited(1) && branch.has("where this branch left main ("), "\(branch.lines)")

            // On the main branch: what was just committed, and what is about to be.
            try await git.run("checkout", "-q", "main")
            try await git.run("merge", "-q", "--ff-only", "work")
            let merged = try await git.check()
            #expect(merged.exit == .exited(1) && merged.has("against HEAD (") && merged.has("and HEAD^ ("))
            try git.write("other.txt", "x")
            try await git.commit("another")
            #expect(try await git.check().exit == .exited(0))
            try git.write(Self.placed, Self.first)
            #expect(try await git.check().exit == .exited(1))
        }
    }

    @Test("say clearly what is missing: a commit, a repository, a schema")
    func missing() async throws {
        try await GitFolder.with { git in
            try git.write(Self.placed, Self.first)
            try await git.commit("first")
            let unknown = try await git.check("--against", "v9")
            #expect(
                unknown.exit == .exited(2) && unknown.has("There is no commit v9 in this repository"),
                "\(unknown.lines)")
            let option = try await git.check("--against=--upload-pack=x")
            #expect(option.exit == .exited(2) && option.has("There is no commit"), "\(option.lines)")
            try git.write(Self.placed, "{\"type\": }")
            let unreadable = try await git.check("--against", "HEAD")
            #expect(
                unreadable.exit == .exited(2) && unreadable.has("events/\(Self.placed): line 1, column 10:"),
                "\(unreadable.lines)")
            try git.write(Self.placed, Self.wider)
            try await git.commit("second")

            let shallow = "\(git.root)-shallow"
            try await git.run("clone", "-q", "--depth", "1", "file://\(git.root)", shallow)
            let cut = try await git.check(folder: "\(shallow)/schemas")
            #expect(cut.exit == .exited(0) && cut.has("note: this clone is shallow and ends here"), "\(cut.lines)")
            let old = try await git.check("--against", "HEAD^", folder: "\(shallow)/schemas")
            #expect(old.exit == .exited(2) && old.has("This clone is shallow"), "\(old.lines)")
            try FileManager.default.removeItem(atPath: "\(shallow)/.git")
            let bare = try await git.check(folder: "\(shallow)/schemas")
            #expect(bare.exit == .exited(0) && bare.has("belongs to no git repository"), "\(bare.lines)")
            let asked = try await git.check("--against", "main", folder: "\(shallow)/schemas")
            #expect(asked.exit == .exited(2) && asked.has("belongs to no git repository"), "\(asked.lines)")
            try FileManager.default.removeItem(atPath: shallow)
        }
    }

    @Test("compare two files, and refuse a name that the old one lists as gone")
    func twoFiles() async throws {
        try await GitFolder.with { git in
            let (old, new) = ("\(git.root)/old.json", "\(git.root)/new.json")
            try Self.schema(#""a": {}"#, ",\"x-removed\": [\"b\"]").write(
                toFile: old, atomically: true, encoding: .utf8)
            try Self.schema(#""a": {}, "b": {}"#).write(toFile: new, atomically: true, encoding: .utf8)
            let found = try await AtriumRun.run(["schemas", "check", "--old", old, "--new", new])
            #expect(found.exit == .exited(1) && found.has("name-reserved\tbreaking"), "\(found.lines)")
            let half = try await AtriumRun.run(["schemas", "check", "--old", old])
            #expect(half.exit != .exited(0) && half.has("--old and --new go together"), "\(half.lines)")
            let none = try await AtriumRun.run(["schemas", "check", "--old", old, "--new", "\(git.root)/none.json"])
            #expect(none.exit == .exited(2) && none.has("none.json: it can't be read"), "\(none.lines)")
        }
    }

    @Test("print the rules that they judge by")
    func rules() async throws {
        let rules = try await AtriumRun.run(["schemas", "rules"])
        #expect(rules.exit == .exited(0) && rules.has("required\trequired\ta name more"), "\(rules.lines)")
        let page = try await AtriumRun.run(["schemas", "rules", "--page"])
        let kept = try String(
            contentsOf: Places.packageRoot.appending(path: "docs/schema-rules.md"), encoding: .utf8)
        #expect(page.lines == kept.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init))
    }

    @Test("find nothing to complain of in the project's own schemas")
    func own() async throws {
        let folder = Places.packageRoot.appending(path: "schemas").path()
        let checked = try await AtriumRun.run(["schemas", "check", "--folder", folder])
        #expect(checked.exit == .exited(0), "\(checked.lines)")
    }
}

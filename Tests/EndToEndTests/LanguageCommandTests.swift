import DevStack
import Foundation
import TestSupport
import Testing

@Suite("atrium schemas generate and catalogue", .showsPrograms)
struct LanguageCommandTests {
    private static func run(_ arguments: [String], in folder: String) async throws -> (
        exit: ProgramExit, output: String
    ) {
        let process = try await AtriumProcess.start(
            ["schemas"] + arguments + ["--project", folder], readyWhen: .none)
        let exit = try await process.waitForExit(within: .seconds(60))
        _ = try await process.line(containing: "\u{0}")
        return (exit, process.output.joined(separator: "\n"))
    }

    private static let root = Places.packageRoot.path()

    @Test("finds the contracts and the catalogue of this project current")
    func current() async throws {
        for command in ["generate", "catalogue"] {
            let checked = try await Self.run([command, "--check"], in: Self.root)
            #expect(checked.exit == .exited(0), "\(checked)")
        }
    }

    @Test("names each file that is not what schemas and code say, and mends it")
    func outdated() async throws {
        let folder = try await TestFolder.make()
        for name in ["schemas", "Modules", "docs"] {
            try FileManager.default.copyItem(atPath: Self.root + name, toPath: "\(folder.path)/\(name)")
        }
        let schema = "\(folder.path)/schemas/events/orders/order.approved.v1.json"
        let text = try String(contentsOfFile: schema, encoding: .utf8)
        try text.replacing("When it was approved.", with: "The moment it was approved.").write(
            toFile: schema, atomically: true, encoding: .utf8)
        for (command, files) in [
            ("generate", ["Modules/Orders/Contracts/Generated/OrderApprovedV1.swift"]),
            ("catalogue", ["docs/events/orders.order.approved.md"]),
        ] {
            let found = try await Self.run([command, "--check"], in: folder.path)
            #expect(found.exit == .exited(1), "\(found)")
            for file in files { #expect(found.output.contains(file), "\(found)") }
            #expect(found.output.contains("Run: atrium schemas \(command)"))
            #expect(try await Self.run([command], in: folder.path).exit == .exited(0))
            #expect(try await Self.run([command, "--check"], in: folder.path).exit == .exited(0))
        }
        try text.replacing(#""type": "string""#, with: #""type": "number""#).write(
            toFile: schema, atomically: true, encoding: .utf8)
        let mistake = try await Self.run(["generate"], in: folder.path)
        #expect(mistake.exit != .exited(0))
        #expect(mistake.output.contains("orders/order.approved.v1.json#/properties/"), "\(mistake)")
        try await folder.remove()
    }

    @Test("describes all of it in AsyncAPI 3, by an independent validator")
    func asyncAPI() async throws {
        let output = try await Python.run(
            code: """
                import json, pathlib, sys, warnings
                warnings.simplefilter("ignore")
                from asyncapi3.models.asyncapi import AsyncAPI3
                from jsonschema import Draft202012Validator
                file = pathlib.Path(sys.argv[1])
                document = json.loads(file.read_text())
                AsyncAPI3.model_validate(document)
                def target(reference):
                    if not reference.startswith("#/"):
                        return json.loads((file.parent / reference).read_text())
                    place = document
                    for part in reference[2:].split("/"):
                        place = place[part]
                    return place
                def references(place):
                    if isinstance(place, dict):
                        if "$ref" in place:
                            yield place["$ref"]
                        for value in place.values():
                            yield from references(value)
                    elif isinstance(place, list):
                        for value in place:
                            yield from references(value)
                for reference in references(document):
                    assert target(reference), reference
                for operation in document["operations"].values():
                    channel = operation["channel"]["$ref"]
                    assert operation["messages"], operation
                    for message in operation["messages"]:
                        assert message["$ref"].startswith(channel + "/messages/"), message
                for message in document["components"]["messages"].values():
                    validator = Draft202012Validator(target(message["payload"]["schema"]["$ref"]))
                    for example in message["examples"]:
                        validator.validate(example["payload"])
                for name, break_it in {
                    "no info": lambda d: d.pop("info"),
                    "unknown action": lambda d: next(iter(d["operations"].values())).update(action="shout"),
                    "unknown member": lambda d: d.update(topics={}),
                }.items():
                    broken = json.loads(file.read_text())
                    break_it(broken)
                    try:
                        AsyncAPI3.model_validate(broken)
                    except ValueError:
                        continue
                    sys.exit(f"the validator takes a document with {name}")
                print(len(document["components"]["messages"]), "messages")
                """, [Self.root + "docs/events/asyncapi.json"])
        #expect(output.status.isSuccess, "\(output)")
        #expect(output.output.contains("12 messages"), "\(output)")
    }
}

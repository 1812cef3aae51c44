import DevStack
import Foundation
import Kafka
import TestSupport
import Testing

@Suite("The published language", .showsPrograms)
struct EventSchemaTests {
    @Test("every event the program publishes is what its schema says, by an independent validator")
    func schemas() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let tenant = try await stack.register()
                try await Self.everythingThatIsPublished(stack, tenant)
                let wanted = try Self.schemaFiles().count
                let events = try await Self.published(stack, types: wanted)
                let lines = events.map { JSONValue.object(["type": .string($0.key), "data": $0.value]).text }
                let output = try await Python.run(
                    code: Self.validator, [Places.packageRoot.appending(path: "schemas/events").path()],
                    input: lines.joined(separator: "\n"))
                #expect(output.status.isSuccess, "\(output)")
                #expect(output.output.contains("\(wanted) types"), "\(output)")
            }
        }
    }

    /// One event of every type that has a schema.
    private static func everythingThatIsPublished(_ stack: Stack, _ tenant: Stack.Tenant) async throws {
        let fulfilled = try await tenant.fulfilledOrder()
        for (move, reason) in [("reject", "credit limit reached"), ("cancel", "ordered twice")] {
            let order = try await tenant.openOrder(place: true)
            let moved = try await tenant.http.post(
                "/api/v1/orders/\(order["id"]?.string ?? "")/\(move)", json: ["reason": .string(reason)],
                headers: ["If-Match": order.headers["ETag"] ?? ""])
            #expect(moved.status == 200, "\(moved)")
        }
        let invoice = try await Waiting.value("the invoice") {
            try await tenant.invoices(of: fulfilled).first?["id"]?.string
        }
        let shown = try await tenant.http.get("/api/v1/invoices/\(invoice)")
        let voided = try await tenant.http.post(
            "/api/v1/invoices/\(invoice)/void", json: ["reason": "issued by mistake"],
            headers: ["If-Match": shown.headers["ETag"] ?? ""])
        #expect(voided.status == 200, "\(voided)")
        let path = "/api/v1/tenants/\(tenant.slug)"
        let suspended = try await stack.asOperator.post(
            "\(path)/suspend", json: ["reason": "overdue"],
            headers: ["If-Match": try await stack.asOperator.get(path).headers["ETag"] ?? ""])
        #expect(suspended.status == 200, "\(suspended)")
        let reactivated = try await stack.asOperator.post(
            "\(path)/reactivate", headers: ["If-Match": suspended.headers["ETag"] ?? ""])
        #expect(reactivated.status == 200, "\(reactivated)")
    }

    private static func published(_ stack: Stack, types: Int) async throws -> [String: JSONValue] {
        let consumer = try KafkaConsumer(
            KafkaSettings(bootstrapServers: stack.broker.bootstrapServers), group: "schemas-\(UUID())",
            topics: ["identity.tenant", "orders.order", "billing.invoice", "metering.usage"], logger: .silent)
        let found = await withTaskGroup(of: [String: JSONValue]?.self) { group in
            group.addTask {
                var found: [String: JSONValue] = [:]
                while found.count < types, let messages = try? await consumer.messages(maximum: 100), !messages.isEmpty
                {
                    for message in messages {
                        let type = message.headers.first { $0.name == "ce_type" }?.value ?? []
                        found[String(decoding: type, as: UTF8.self)] = try? JSONValue(
                            parsing: Data(message.value ?? []))
                    }
                }
                return found
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(30))
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        await consumer.close()
        return found ?? [:]
    }

    @Test("every example in a schema is valid by that schema")
    func examples() async throws {
        let output = try await Python.run(
            code: Self.validator, [Places.packageRoot.appending(path: "schemas/events").path(), "--examples"])
        #expect(output.status.isSuccess, "\(output)")
        #expect(output.output.contains("\(try Self.schemaFiles().count) examples"), "\(output)")
    }

    private static func schemaFiles() throws -> [String] {
        let root = Places.packageRoot.appending(path: "schemas/events").path()
        return (FileManager.default.enumerator(atPath: root)?.allObjects as? [String] ?? [])
            .filter { $0.hasSuffix(".json") }
    }

    /// Reads events, one a line, and holds each against the schema of its type.
    private static let validator = """
        import json, pathlib, sys
        from jsonschema import Draft202012Validator, FormatChecker
        root = pathlib.Path(sys.argv[1])
        schemas, failed, examples = {}, 0, 0
        for path in sorted(root.rglob("*.json")):
            schema = json.loads(path.read_text())
            Draft202012Validator.check_schema(schema)
            context, name = path.relative_to(root).parts[0], path.name.removesuffix(".json")
            assert schema["$id"].endswith(f"/{context}/{path.name}"), f"{path}: $id is {schema['$id']}"
            schemas[f"{context}.{name}"] = Draft202012Validator(schema, format_checker=FormatChecker())
        def check(kind, data):
            global failed
            for error in schemas[kind].iter_errors(data):
                failed += 1
                print(f"{kind}: {error.json_path}: {error.message}")
        if "--examples" in sys.argv:
            for kind, schema in schemas.items():
                assert schema.schema.get("examples"), f"{kind} has no example"
                for example in schema.schema["examples"]:
                    check(kind, example)
                examples += 1
            print(f"{examples} examples")
        else:
            seen = set()
            for line in sys.stdin:
                event = json.loads(line)
                check(event["type"], event["data"])
                seen.add(event["type"])
            missing = set(schemas) - seen
            if missing:
                failed += 1
                print("never published:", *sorted(missing))
            print(f"{len(seen)} types")
        sys.exit(1 if failed else 0)
        """
}

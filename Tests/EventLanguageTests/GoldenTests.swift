import DevStack
import EventLanguage
import Foundation
import Kafka
import Kernel
import Messaging
import OrdersContracts
import TestSupport
import Testing

@Suite("Events as they were published once", .serialized)
struct GoldenTests {
    /// As the event comes from Kafka.
    private static func received(_ type: String, _ data: [UInt8], tenant: TenantID) throws -> ReceivedEvent {
        let headers = [
            "ce_specversion": "1.0", "ce_id": UUID().uuidString, "ce_source": "/atrium/test", "ce_type": type,
            "ce_time": "2026-01-15T09:30:00Z", "ce_tenantid": tenant.description,
            "ce_correlationid": UUID().uuidString,
        ]
        return try ReceivedEvent(
            KafkaMessage(
                topic: "t", partition: 0, offset: 0, key: nil, value: data,
                headers: headers.map { KafkaHeader(name: $0, value: Array($1.utf8)) }, timestamp: 0))
    }

    private static func read<Newest: IntegrationEvent>(
        _ file: GoldenBytes.File, as newest: Newest.Type
    ) throws -> Newest {
        let tenant = try #require(try JSONValue(parsing: Data(file.bytes))["tenantId"]?.string.flatMap { TenantID($0) })
        let event = try VersionedPayload<Newest>.read(received(file.type, file.bytes, tenant: tenant))
        #expect(event.tenantId == tenant, "\(file)")
        return event
    }

    @Test("are read as the newest version, and published again byte for byte")
    func replay() throws {
        let golden = try GoldenBytes.project()
        for file in golden.files {
            let newest = try #require(GoldenBytes.newest(of: file.type), "nothing reads \(file)")
            let event = try Self.read(file, as: newest)
            for version in event.inPublishedVersions where type(of: version).type == file.type {
                #expect(try Self.published(version) == String(decoding: file.bytes, as: UTF8.self), "\(file)")
            }
        }
        #expect(golden.files.count >= 64)
    }

    /// The data of the event that the outbox would keep.
    private static func published(_ event: any IntegrationEvent) throws -> String {
        let fact = try OutgoingEvent(
            event, id: IdentifierSource.system.next(), aggregateID: UUID(), aggregateVersion: 1,
            at: Timestamp(microsecondsSinceEpoch: 0))
        return fact.payload
    }

    @Test("are each of a version that the newest can be read from, without a gap")
    func chains() throws {
        for type in GoldenBytes.events {
            let newest = try #require(GoldenBytes.newest(of: type.type))
            let readable = newest.readableVersions.map { $0.type }
            #expect(readable.contains(type.type), "\(newest.type) has no way from \(type.type)")
            let versions = readable.map { GoldenBytes.family($0) }
            #expect(versions.map(\.version) == (1...versions[0].version).reversed(), "\(newest.type)")
            #expect(Set(versions.map(\.name)).count == 1, "\(newest.type)")
        }
    }

    @Test("are there for every version that has a schema, and valid by it")
    func schemas() async throws {
        let schemas = try EventSchema.all(
            below: Places.packageRoot.appending(path: "schemas/events", directoryHint: .isDirectory))
        let files = try GoldenBytes.project().files
        let byType = Dictionary(grouping: files, by: \.type)
        #expect(Set(byType.keys) == Set(schemas.map(\.type)))
        for schema in schemas { #expect(byType[schema.type, default: []].count >= 3, "\(schema.type)") }
        let output = try await Python.run(
            code: """
                import json, pathlib, sys
                from jsonschema import Draft202012Validator, FormatChecker
                root, failed, count = pathlib.Path(sys.argv[1]), 0, 0
                for path in sorted((root / "golden").rglob("*.json")):
                    context, kind = path.relative_to(root / "golden").parts[:2]
                    schema = json.loads((root / "events" / context / f"{kind}.json").read_text())
                    for error in Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(
                        json.loads(path.read_text())):
                        failed += 1
                        print(f"{path}: {error.json_path}: {error.message}")
                    count += 1
                print(f"{count} files")
                sys.exit(1 if failed else 0)
                """, [Places.packageRoot.appending(path: "schemas").path()])
        #expect(output.status.isSuccess && output.output.contains("\(files.count) files"), "\(output)")
    }

    @Test("stay as they are: a change, a loss and a file that is not listed are noticed")
    func unchanged() throws {
        let golden = try GoldenBytes.project()
        #expect(golden.differences() == [])
        var files = golden.files
        files[0] = GoldenBytes.File(path: files[0].path, bytes: files[0].bytes + [0x20])
        files.remove(at: 1)
        files.append(GoldenBytes.File(path: "orders/order.placed.v1/new.json", bytes: []))
        let found = GoldenBytes(files: files, listed: golden.listed).differences()
        #expect(found.count == 3, "\(found)")
    }

    @Test("in the first version of a placed order are read as the second, with its currency beside every amount")
    func upcasting() throws {
        let golden = try GoldenBytes.project().files.filter { $0.type == OrderPlacedV1.type }
        for file in golden {
            let former = try JSONDecoder().decode(OrderPlacedV1.self, from: Data(file.bytes))
            let event = try Self.read(file, as: OrderPlacedV2.self)
            #expect(event.predecessor == former, "\(file)")
            #expect(event.total == Money(minorUnits: former.totalMinor, currency: former.currency))
            #expect(event.channel == .unknown)
            #expect(event.lines.map(\.number) == former.lines.map(\.number))
            #expect(event.lines.map(\.unitPrice.minorUnits) == former.lines.map(\.unitPriceMinor))
            #expect(event.lines.allSatisfy { $0.amount.currency == former.currency })
        }
        #expect(golden.count >= 3)
    }

    @Test("are refused where they are no version of what is wanted, or the tenant is another")
    func refusals() throws {
        let file = try #require(try GoldenBytes.project().files.first { $0.type == OrderPlacedV1.type })
        let tenant = try JSONDecoder().decode(OrderPlacedV1.self, from: Data(file.bytes)).tenantId
        for type in ["orders.order.placed.v3", "orders.order.fulfilled.v1", "nothing"] {
            #expect(throws: Rejection.self) {
                try VersionedPayload<OrderPlacedV2>.read(Self.received(type, file.bytes, tenant: tenant))
            }
        }
        #expect(throws: Rejection.self) {
            try VersionedPayload<OrderPlacedV2>.read(
                Self.received(file.type, file.bytes, tenant: IdentifierSource.system.next()))
        }
        #expect(VersionedPayload<OrderPlacedV2>.types == [OrderPlacedV2.type, OrderPlacedV1.type])
    }
}

import ArgumentParser
import Foundation
import Kafka
import Kernel

struct EventsTail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Follows events as they come, a line each, until Ctrl-C.",
        discussion: """
            Joins no group and commits nothing: no consumer notices. Columns are time, tenant, type, identifier, key, place \
            and data; characters that move a cursor are replaced.
            """)

    @Option(help: "A JSON file with settings.")
    var config: String?
    @Option(help: "Only this tenant, by its identifier.")
    var tenant: String?
    @Option(help: "Only this type; a * at the end stands for anything: orders.order.*")
    var type: String?
    @Option(help: "Only what this context publishes.")
    var context: ContextName?
    @Option(help: ArgumentHelp("Where to begin: \(EventPlace.forms).", valueName: "place"))
    var from = "end"
    @Option(help: "End after so many events.")
    var limit: Int?
    @Flag(help: "Print each event as a JSON object.")
    var json = false

    func validate() throws {
        if let tenant, TenantID(tenant) == nil {
            throw ValidationError("--tenant takes the tenant's id, a UUID as `atrium tenants list` shows it")
        }
        switch EventPlace(from) {
        case .beginning, .end, .time: break
        case .offset, nil:
            throw ValidationError("--from is none of beginning, end, a time such as 2026-11-21T09:30:00Z")
        }
        if let limit, limit < 1 { throw ValidationError("--limit is not 1 or more") }
    }

    func run() async throws {
        try await BrokerTools.with(config) { tools in
            try await untilInterrupted { try await follow(tools.reader) }
        }
    }

    private func follow(_ reader: KafkaReader) async throws {
        var starts: [TopicPartition: Int64] = [:]
        for topic in topics {
            do {
                let partitions = try await reader.partitions(of: topic)
                starts.merge(try await offsets(of: partitions, reader)) { one, _ in one }
            } catch let error as KafkaError where error.code == .unknownTopicOrPartition {
                // Nobody has published to it yet.
            }
        }
        guard !starts.isEmpty else {
            throw UnusablePlaces(description: "the broker has none of the topics \(topics.joined(separator: ", "))")
        }
        try reader.start(at: starts)
        var left = limit ?? .max
        while left > 0 {
            for message in try await reader.read(maximum: 500).messages where left > 0 {
                let line = EventLine(message)
                guard matches(line) else { continue }
                try FileHandle.standardOutput.write(contentsOf: Data(((json ? line.json : line.columns) + "\n").utf8))
                left -= 1
            }
        }
    }

    private func offsets(of partitions: [TopicPartition], _ reader: KafkaReader) async throws -> [TopicPartition: Int64]
    {
        let spans = try await reader.spans(of: partitions)
        switch EventPlace(from) {
        case .beginning: return spans.mapValues(\.first)
        case .time(let time):
            return try await reader.offsets(at: (time.microsecondsSinceEpoch + 999) / 1000, of: partitions)
        case .end, .offset, nil: return spans.mapValues(\.end)
        }
    }

    private func matches(_ line: EventLine) -> Bool {
        if let tenant, line.tenant.flatMap({ TenantID($0) }) != TenantID(tenant) { return false }
        guard let type else { return true }
        guard let own = line.type else { return false }
        return type.hasSuffix("*") ? own.hasPrefix(type.dropLast()) : own == type
    }

    /// The topics of every context that is asked for.
    private var topics: [String] {
        let contexts = context.map { [$0] } ?? ContextName.allCases
        return Set(contexts.flatMap { $0.module.published.map { $0.topic } }).sorted()
    }
}

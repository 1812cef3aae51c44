import Foundation
import Kafka
import Kernel
import Logging
import Messaging
import Postgres
import Tenancy

/// Tries to reach B by events: one of A's that says it is B's must neither leave nor be taken in.
///
/// Both ends are tried in this process, with the code that relays and consumers run: an event on a real topic would
/// leave a dead letter at every round.
struct EventCanaryDoor: CanaryDoor {
    let name = "events"
    private let dataPlane: DataPlane
    private let outbox: Outbox
    private let inbox: Inbox
    private let logger: Logger
    private static let role = CanaryOrder.bait.role

    init(dataPlane: DataPlane, logger: Logger) {
        self.dataPlane = dataPlane
        outbox = Outbox(schema: Self.role.schema, signal: RelaySignal())
        inbox = Inbox(role: Self.role, dataPlane: dataPlane, logger: logger)
        self.logger = logger
    }

    func attempt(_ pair: CanaryPair) async throws -> CanaryOutcome {
        var outcome = CanaryOutcome()
        outcome.record("an event of B's, published by A", led: try await publishes(pair))
        outcome.record("a row of B's in the outbox, written by A", led: try await writes(pair))
        for (header, payload) in [(pair.b, pair.a), (pair.a, pair.b)] {
            outcome.record(
                "an event whose header names another tenant than its data",
                led: try await takesIn(header: header, payload: payload))
        }
        return outcome
    }

    private func publishes(_ pair: CanaryPair) async throws -> Bool {
        let event = try OutgoingEvent(
            CanarySangV1(tenantId: pair.b), id: IdentifierSource.system.next(), aggregateID: pair.b.uuid,
            aggregateVersion: 1, at: WallClock.system.now())
        return try await undone(pair) { try outbox.enqueue(event, in: $0) }
    }

    private func writes(_ pair: CanaryPair) async throws -> Bool {
        try await undone(pair) { transaction in
            _ = try await transaction.rowsWriting(
                """
                INSERT INTO orders.outbox (tenant_id, event_id, topic, type, aggregate_id, aggregate_version, occurred_at, \
                correlation_id, traceparent, payload)
                VALUES (\(pair.b), \(pair.b), 'canary', 'canary', \(pair.b), 1, now(), \(pair.b), '', '{}')
                """)
        }
    }

    /// Whether the body got through; nothing of it stays.
    private func undone(
        _ pair: CanaryPair, _ body: (TenantTransaction) async throws -> Void
    ) async throws -> Bool {
        do {
            try await dataPlane.write(.canary(pair.a, logger), as: Self.role) { transaction in
                try await body(transaction)
                throw Crossed()
            }
            return false
        } catch is Crossed {
            return true
        } catch is ForeignTenantEvent {
            return false
        } catch let error as PostgresError where error.sqlState != nil {
            return false
        }
    }

    private func takesIn(header: TenantID, payload: TenantID) async throws -> Bool {
        let event = try ReceivedEvent(CanarySangV1.message(from: header, about: payload))
        do {
            // What gets as far as the reaction has crossed; throwing undoes the inbox's row.
            _ = try await inbox.process(event, by: .on(CanarySangV1.self, named: "canary") { _, _ in throw Crossed() })
            return true
        } catch is Crossed {
            return true
        } catch is Rejection {
            return false
        }
    }

    private struct Crossed: Error {}
}

/// An event that nobody publishes and nobody waits for.
struct CanarySangV1: IntegrationEvent {
    static let type = "canary.canary.sang.v1"

    let tenantId: TenantID

    /// As it would come from Kafka.
    static func message(from header: TenantID, about tenant: TenantID) throws -> KafkaMessage {
        let id: EventID = IdentifierSource.system.next()
        let fields = [
            ("ce_specversion", "1.0"), ("ce_id", id.description), ("ce_source", "/atrium/canary"), ("ce_type", type),
            ("ce_time", "2026-01-01T00:00:00Z"), ("ce_tenantid", header.description),
            ("ce_correlationid", id.description), ("content-type", "application/json"),
        ]
        return KafkaMessage(
            topic: topic, partition: 0, offset: 0,
            value: Array(try JSONEncoder().encode(CanarySangV1(tenantId: tenant))),
            headers: fields.map { KafkaHeader(name: $0.0, value: Array($0.1.utf8)) })
    }
}

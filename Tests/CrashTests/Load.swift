import Foundation
import Kernel
import Synchronization
import TestSupport

/// Several tenants at work at a steady pace, each answer entered in the ledger; goes on whatever happens to Atrium.
///
/// Whoever gets no answer, or one that says nothing about the outcome, asks again in the same words until it is known.
final class Load: Sendable {
    struct Tenant: Sendable {
        let id: String
        let http: HTTP
    }

    private struct Books {
        var ledger = Ledger()
        var tenants: [Tenant] = []
        /// How many more orders each worker opens; without a number it goes on.
        var rounds: Int?
    }

    private let books = Mutex(Books())
    private let asOperator: HTTP
    private let tiers: [Tier]
    private let pace: Duration
    private let limit: Duration
    private static let workersPerTenant = 2
    private static let password = "correct horse battery"
    private static let skus = [Tier.pool: "growth", .bridge: "scale", .silo: "enterprise"]

    /// - Parameter pace: how long a worker waits from one order to the next.
    init(asOperator: HTTP, tiers: [Tier], pace: Duration = .milliseconds(300), limit: Duration = .seconds(150)) {
        self.asOperator = asOperator
        self.tiers = tiers
        self.pace = pace
        self.limit = limit
    }

    var ledger: Ledger { books.withLock { $0.ledger } }
    var tenants: [Tenant] { books.withLock { $0.tenants } }

    /// Lets each worker open so many orders more, and `run` come to its end.
    func wrapUp(after rounds: Int = 3) { books.withLock { $0.rounds = $0.rounds ?? rounds } }

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, tier) in tiers.enumerated() {
                group.addTask { [self] in
                    let tenant = try await register(tier)
                    try await withThrowingTaskGroup(of: Void.self) { workers in
                        for worker in 0..<Self.workersPerTenant {
                            workers.addTask { try await self.work(for: tenant, as: "\(number)-\(worker)") }
                        }
                        try await workers.waitForAll()
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func register(_ tier: Tier) async throws -> Tenant {
        let slug = "t" + UUID().uuidString.prefix(8).lowercased()
        let reply = try await known(201) { [asOperator] in
            try await asOperator.post(
                "/api/v1/tenants",
                json: [
                    "slug": .string(slug), "name": "A tenant", "sku": .string(Self.skus[tier] ?? ""),
                    "region": "eu-central",
                    "administrator": [
                        "email": .string("admin@\(slug).example"), "name": "Ada", "password": .string(Self.password),
                    ],
                ], headers: ["Idempotency-Key": slug])
        }
        guard let id = reply["tenant"]?["id"]?.string else { throw UnexpectedAnswer(reply: reply) }
        // A key is shown once: where that answer got lost, the administrator comes in by password.
        var key = reply["apiKey"]?["key"]?.string ?? ""
        if key.isEmpty { key = try await session(of: slug) }
        let tenant = Tenant(id: id, http: asOperator.authorized(key))
        books.withLock { books in
            books.ledger.registered(tenant: id)
            books.tenants.append(tenant)
        }
        _ = try await known(200) {
            try await tenant.http.put("/api/v1/meters/\(Ledger.meter)", json: ["aggregation": "sum", "unit": "call"])
        }
        return tenant
    }

    private func session(of slug: String) async throws -> String {
        let reply = try await known(200, 201) { [asOperator] in
            try await HTTP(asOperator.base).post(
                "/api/v1/sessions",
                json: [
                    "tenant": .string(slug), "email": .string("admin@\(slug).example"),
                    "password": .string(Self.password),
                ])
        }
        guard let token = reply["accessToken"]?.string else { throw UnexpectedAnswer(reply: reply) }
        return token
    }

    private func work(for tenant: Tenant, as worker: String) async throws {
        let clock = ContinuousClock()
        var next = clock.now
        var number = 0
        while books.withLock({ $0.rounds == nil }) {
            try await order(number, for: tenant, as: worker)
            number += 1
            next = max(next + pace, clock.now)
            try await clock.sleep(until: next)
        }
        for _ in 0..<(books.withLock { $0.rounds } ?? 0) {
            try await order(number, for: tenant, as: worker)
            number += 1
        }
    }

    // MARK: One order

    private func order(_ number: Int, for tenant: Tenant, as worker: String) async throws {
        let quantity = number % 7 + 1
        let opened = try await known(201) {
            try await tenant.http.post(
                "/api/v1/orders",
                json: [
                    "customerId": "0198c0de-0000-7000-8000-00000000c001", "currency": "EUR", "place": true,
                    "lines": [["sku": "SEAT-PRO", "quantity": .number(Decimal(quantity)), "unitPriceMinor": 1250]],
                ], headers: ["Idempotency-Key": "\(worker)-\(number)"])
        }
        guard let id = opened["id"]?.string, let total = opened["totalMinor"]?.int, total == quantity * 1250 else {
            throw UnexpectedAnswer(reply: opened)
        }
        books.withLock { $0.ledger.opened(order: id, tenant: tenant.id, totalMinor: total) }
        // Every fifth order stays where it is, so that not all that is placed is invoiced.
        if number % 5 != 4 {
            for (move, state, fact) in [
                ("approve", "approved", Fact.approved), ("fulfil", "fulfilled", Fact.fulfilled),
            ] {
                books.withLock { $0.ledger.asked(for: fact, of: id) }
                try await bring(id, to: state, by: move, for: tenant)
                books.withLock { $0.ledger.acknowledged(fact, of: id) }
            }
        }
        try await use(number % 3 + 1, id: "\(worker)-\(number)", for: tenant)
    }

    /// Reads the version, moves, and reads again where the answer to the move got lost.
    private func bring(_ id: String, to state: String, by move: String, for tenant: Tenant) async throws {
        while true {
            let now = try await known(200) { try await tenant.http.get("/api/v1/orders/\(id)") }
            if now["state"]?.string == state { return }
            let moved = try await known(200, 412) {
                try await tenant.http.post(
                    "/api/v1/orders/\(id)/\(move)", headers: ["If-Match": now.headers["ETag"] ?? ""])
            }
            if moved.status == 200 { return }
        }
    }

    private func use(_ value: Int, id: String, for tenant: Tenant) async throws {
        let name = "\(tenant.id)/\(id)"
        books.withLock { $0.ledger.asked(forUsage: name, tenant: tenant.id, value: value) }
        let reply = try await known(200) {
            try await tenant.http.post(
                "/api/v1/usage/events",
                json: [
                    "specversion": "1.0", "id": .string(name), "source": .string(Ledger.usageSource),
                    "type": .string(Ledger.meter), "data": ["value": .number(Decimal(value))],
                ])
        }
        guard (reply["accepted"]?.int ?? 0) + (reply["duplicates"]?.int ?? 0) == 1 else {
            throw UnexpectedAnswer(reply: reply)
        }
        books.withLock { $0.ledger.acknowledged(usage: name) }
    }

    /// Asks until an answer says what has become of it.
    private func known(_ statuses: Int..., ask: () async throws -> HTTPReply) async throws -> HTTPReply {
        let reply = try await Waiting.value("an answer", within: limit, every: .milliseconds(50)) { () -> HTTPReply? in
            guard let reply = try? await ask(), reply.status < 500 else {
                try Task.checkCancellation()
                return nil
            }
            return reply
        }
        guard statuses.contains(reply.status) else { throw UnexpectedAnswer(reply: reply) }
        return reply
    }
}

struct UnexpectedAnswer: Error, CustomStringConvertible {
    let reply: HTTPReply

    var description: String { "unexpected answer: \(reply)" }
}

// MARK: What the tenants are shown afterwards

extension Load {
    func effects() async throws -> Effects {
        var effects = Effects()
        for tenant in tenants {
            effects.invoices[tenant.id] = try await invoices(of: tenant)
            effects.ordersMetered[tenant.id] = try await usage(of: "orders.placed", for: tenant)
            effects.usage[tenant.id] = try await usage(of: Ledger.meter, for: tenant)
        }
        return effects
    }

    private func invoices(of tenant: Tenant) async throws -> [Effects.Invoice] {
        var invoices: [Effects.Invoice] = []
        var cursor: String?
        repeat {
            let reply = try await known(200) {
                try await tenant.http.get("/api/v1/invoices?limit=100" + (cursor.map { "&cursor=\($0)" } ?? ""))
            }
            for item in reply["items"]?.array ?? [] {
                guard let number = item["number"]?.string, let order = item["orderId"]?.string,
                    let total = item["totalMinor"]?.int
                else { throw UnexpectedAnswer(reply: reply) }
                invoices.append(Effects.Invoice(number: number, order: order, totalMinor: total))
            }
            cursor = reply["nextCursor"]?.string?.addingPercentEncoding(withAllowedCharacters: .alphanumerics)
        } while cursor != nil
        return invoices
    }

    /// Of the hours around now.
    private func usage(of meter: String, for tenant: Tenant) async throws -> Int {
        let hour = 3600.0
        let now = (Date().timeIntervalSince1970 / hour).rounded(.down) * hour
        func text(_ seconds: Double) -> String { Date(timeIntervalSince1970: seconds).ISO8601Format() }
        let reply = try await known(200, 404) {
            try await tenant.http.get(
                "/api/v1/usage?meter=\(meter)&from=\(text(now - hour))&to=\(text(now + hour))&window=hour")
        }
        let windows = reply["windows"]?.array ?? []
        return windows.reduce(0) { $0 + (Int($1["value"]?.string ?? "") ?? 0) }
    }
}

import Kernel
import Postgres
import Tenancy

/// The statements of one round trip, and what their answers mean.
struct RelayFlight {
    private(set) var statements: [Statement] = []

    /// Answers the statement's place among the answers.
    @discardableResult
    mutating func add(_ statement: SQL) -> Int { add(Statement(statement)) }

    @discardableResult
    mutating func add(_ statement: Statement) -> Int {
        statements.append(statement)
        return statements.count - 1
    }

    // MARK: What there is to publish

    struct Finding {
        let horizon: Int
        let windowEnds: Int?
        let page: Int
        let lanes: Int?
        let logPosition: Int
    }

    mutating func read(
        _ readings: [ShardReading], _ published: Timestamp?, _ statements: RelayStatements,
        _ configuration: RelayConfiguration
    ) -> Finding {
        let limits = configuration.limits
        let crowded = readings.filter { !$0.from.lanes.isEmpty }
        let turns = readings.filter { !$0.turns.isEmpty }
        for setting in statements.byIndex { add(setting) }
        // The horizon first: all that is before it is there for the statements that follow. The log's position last: what
        // they found has been written before it.
        return Finding(
            horizon: add(statements.horizon(of: readings.map(\.shard), from: published)),
            windowEnds: crowded.isEmpty ? nil : add(statements.windowEnds(crowded, from: published, limits)),
            page: add(statements.page(readings, from: published, limits)),
            lanes: turns.isEmpty ? nil : add(statements.lanes(turns, from: published)),
            logPosition: add("SELECT pg_current_wal_insert_lsn()::text"))
    }

    /// Answers whether there are events that wait for a transaction to end.
    func found(
        _ places: Finding, in answers: [Rows], for readings: [ShardReading], server: String, _ books: inout RelayBooks
    ) throws -> Bool {
        let (horizon, begun, time, isUnsettled) = try answers[places.horizon][0].decode(
            (String, String, Timestamp, Bool).self)
        let consistency = try ConsistencyToken.position(answers[places.logPosition][0].decode(String.self)).map {
            Array(ConsistencyToken(server: server, position: $0).description.utf8)
        }
        var findings: [Int16: ShardFinding] = [:]
        for row in try answers[places.page].map({ try OutboxRow($0, consistency: consistency) }) {
            findings[row.shard, default: ShardFinding()].main.append(row)
        }
        if let lanes = places.lanes {
            for row in try answers[lanes].map({ try OutboxRow($0, consistency: consistency) }) {
                findings[row.shard, default: ShardFinding()].lanes[row.tenantID, default: []].append(row)
            }
        }
        if let ends = places.windowEnds {
            for row in answers[ends] {
                let (shard, transactionID, position) = try row.decode((Int16, String, Int64).self)
                findings[shard, default: ShardFinding()].windowEnd = try OutboxPosition(transactionID, position)
            }
        }
        for reading in readings {
            var finding = findings[reading.shard] ?? ShardFinding()
            // They come in order as a rule, but only each shard's and lane's subquery promises one.
            finding.main.sort { $0.position < $1.position }
            for tenant in finding.lanes.keys { finding.lanes[tenant]?.sort { $0.position < $1.position } }
            finding.read = Set(reading.turns.map(\.tenant))
            finding.laneLimit = reading.laneLimit
            books.found(
                finding, for: reading, horizon: try OutboxPosition(horizon, 0).transactionID,
                begun: try OutboxPosition(begun, 0).transactionID, at: time)
        }
        return isUnsettled
    }

    // MARK: What this process may publish

    func held(_ place: Int, in answers: [Rows], _ books: inout RelayBooks) throws {
        var held: [RelayBooks.Held] = []
        var members = 1
        for row in answers[place] {
            let (count, isKept, shard, transactionID, position, lanes, published) = try row.decode(
                (Int64, Bool?, Int16?, String?, Int64?, String?, Timestamp?).self)
            members = Int(count)
            guard let shard, let transactionID, let position, let lanes else { continue }
            held.append(
                RelayBooks.Held(
                    shard: shard, isKept: isKept ?? false,
                    position: try ShardPosition(transactionID: transactionID, position: position, lanes: lanes),
                    publishedBefore: published))
        }
        books.holds(held, among: members)
    }

    // MARK: What waits

    struct Sample {
        let backlog: Int
        let lanes: Int?
    }

    mutating func sample(
        _ positions: [Int16: ShardPosition], _ published: Timestamp?, _ statements: RelayStatements
    ) -> Sample {
        Sample(
            backlog: add(statements.backlog(positions, from: published)),
            lanes: positions.values.allSatisfy(\.lanes.isEmpty)
                ? nil : add(statements.laneBacklog(positions, from: published)))
    }

    func sample(_ places: Sample, in answers: [Rows], _ books: RelayBooks) throws -> RelayMetrics.Sample {
        var sample = RelayMetrics.Sample(held: books.count, lanes: books.openLanes)
        let (count, seconds) = try answers[places.backlog][0].decode((Int64, Double).self)
        sample.backlog = Int(count)
        sample.age = .seconds(max(0, seconds))
        guard let lanes = places.lanes else { return sample }
        for row in answers[lanes] {
            let (tenant, count, seconds) = try row.decode((TenantID, Int64, Double).self)
            sample.waiting[tenant] = Int(count)
            sample.backlog += Int(count)
            sample.age = max(sample.age, .seconds(seconds))
        }
        return sample
    }
}

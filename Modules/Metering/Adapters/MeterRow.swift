import Kernel
import Metering
import MeteringContracts
import Postgres

/// A meter as its table holds it.
enum MeterRow {
    static var columns: SQL { "id, key, aggregation, unit, defined_at, version, recorded" }

    static func meter(from row: Row) throws -> Meter {
        let (id, key, aggregation, unit, definedAt, version, recorded) = try row.decode(
            (MeterID, String, String, String, Timestamp, Int64, Int64).self)
        return Meter(
            restoring: id, definition: try definition(key, aggregation, unit), definedAt: definedAt, version: version,
            recorded: recorded)
    }

    static func definition(_ key: String, _ aggregation: String, _ unit: String) throws -> MeterDefinition {
        guard let known = MeterKey(key) else { throw UnreadableMeter(what: "key \(key)") }
        guard let aggregation = Aggregation(rawValue: aggregation) else {
            throw UnreadableMeter(what: "aggregation \(aggregation)")
        }
        return MeterDefinition(key: known, aggregation: aggregation, unit: unit)
    }
}

/// The table holds what this version of the program can't have written.
struct UnreadableMeter: Error, CustomStringConvertible {
    let what: String

    var description: String { "a meter has the unknown \(what); was it written by a newer version?" }
}

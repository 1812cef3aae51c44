package import Kernel

/// A place where tenants' data is, or one beside it that has none, as the manifest describes it.
package struct DataStore: Hashable, Sendable {
    package enum Kind: String, CaseIterable, Hashable, Sendable {
        case table, topic, folder, cache
    }

    /// What keeps one tenant from another's data; the words are explained at the head of the manifest.
    package enum Isolation: String, CaseIterable, Hashable, Sendable {
        case rowSecurity = "row-security"
        case schema, database, closed, tagged, keyed, none
    }

    package enum Classification: String, CaseIterable, Hashable, Sendable {
        case secret, personal, confidential, `internal`
    }

    package enum Residency: String, CaseIterable, Hashable, Sendable {
        case region
        case controlPlane = "control-plane"
        case broker, host
    }

    package enum Retention: Hashable, Sendable {
        case tenant, process, broker, unlimited
        case time(Duration)
    }

    package struct Deletion: Hashable, Sendable {
        package enum Way: String, CaseIterable, Hashable, Sendable {
            case place, cascade, age, restart, hand, none
        }

        package let way: Way
        package let how: String
    }

    package let name: String
    package let kind: Kind
    package let context: String
    package let isolation: [Tier: Isolation]
    package let classification: Classification
    /// Columns of a table, properties of a topic's events, files of a folder.
    package let personal: [String]
    package let residency: Residency
    package let retention: Retention
    package let deletion: Deletion
    package let owner: String
    /// A file from the project's root, and behind `#` the section in it.
    package let runbook: String
    /// Where it stands in the manifest.
    package let line: Int

    /// What PostgreSQL or the broker knows it by; caches and folders have no context in theirs.
    package var fullName: String {
        switch kind {
        case .table, .topic: "\(context).\(name)"
        case .folder, .cache: name
        }
    }
}

extension DataStore.Kind {
    var isolations: [Tier: Set<DataStore.Isolation>] {
        switch self {
        case .table:
            [
                .pool: [.rowSecurity, .closed], .bridge: [.rowSecurity, .schema, .closed],
                .silo: [.rowSecurity, .database, .closed],
            ]
        case .topic: Self.alike([.tagged])
        case .folder: Self.alike([.tagged, .none])
        case .cache: Self.alike([.keyed, .tagged])
        }
    }

    var residencies: Set<DataStore.Residency> {
        switch self {
        case .table: [.region, .controlPlane]
        case .topic: [.broker]
        case .folder, .cache: [.host]
        }
    }

    private static func alike(_ words: Set<DataStore.Isolation>) -> [Tier: Set<DataStore.Isolation>] {
        Dictionary(uniqueKeysWithValues: Tier.allCases.map { ($0, words) })
    }
}

extension DataStore.Retention {
    /// One of four words, or a number with its unit: `24h`.
    init?(_ text: String) {
        switch text {
        case "tenant": self = .tenant
        case "process": self = .process
        case "broker": self = .broker
        case "unlimited": self = .unlimited
        default:
            let digits = text.prefix { $0.isASCII && $0.isNumber }
            guard let number = Int64(digits), number > 0 else { return nil }
            switch text.dropFirst(digits.count) {
            case "ms": self = .time(.milliseconds(number))
            case "s": self = .time(.seconds(number))
            case "m": self = .time(.seconds(60 * number))
            case "h": self = .time(.seconds(3600 * number))
            case "d": self = .time(.seconds(86_400 * number))
            default: return nil
            }
        }
    }
}

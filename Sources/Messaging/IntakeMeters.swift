import Metrics

/// What becomes of the messages that one context reads.
struct IntakeMeters: Sendable {
    let processed: Counter
    let duplicates: Counter
    let retries: Counter
    let deadLetters: Counter
    /// Events that wait behind one of their key.
    let waiting: Counter
    let tombstones: Counter
    /// Facts that come in a version that can be read as well.
    let otherVersions: Counter
    /// Events of tenants that are gone.
    let gone: Counter

    init(context: String) {
        func counter(_ name: String) -> Counter {
            Counter(label: "atrium_inbox_\(name)_total", dimensions: [("context", context)])
        }
        processed = counter("processed")
        duplicates = counter("duplicates")
        retries = counter("retries")
        deadLetters = counter("dead_letters")
        waiting = counter("waiting")
        tombstones = counter("tombstones")
        otherVersions = counter("other_versions")
        gone = counter("gone_tenants")
    }
}

import Kernel

/// What usage is taken from whom.
package struct UsagePolicy: Sendable {
    /// How long ago usage may have happened; without a limit where none is set.
    package let past: Duration?
    /// How far ahead of ours a sender's clock may run.
    package let ahead: Duration?
    /// Whether built-in meters and reserved sources are open.
    package let isOwn: Bool

    /// How many events one request may carry.
    package static let batchLimit = 500
    /// How many meters one request may name: each is kept for it until it is done.
    package static let meterLimit = 50

    /// For usage that tenants report: 35 days back, so that a month can be made complete after its end, and 5 minutes
    /// ahead.
    package static let reported = UsagePolicy(past: .seconds(35 * 86_400), ahead: .seconds(300), isOwn: false)

    /// For usage that Atrium derives from its own events, which count however late they are processed.
    package static let derived = UsagePolicy(past: nil, ahead: nil, isOwn: true)

    package init(past: Duration?, ahead: Duration?, isOwn: Bool) {
        self.past = past
        self.ahead = ahead
        self.isOwn = isOwn
    }

    func admit(_ event: UsageEvent, at now: Timestamp) throws(UsageRefusal) {
        if !isOwn {
            guard !event.identity.isReserved else { throw .reservedSource }
            guard !event.meter.isBuiltIn else { throw .builtInMeter(event.meter) }
        }
        guard let time = event.time else { return }
        if let past {
            let earliest = now.advanced(by: .zero - past)
            guard time >= earliest else { throw .tooOld(time, earliest: earliest) }
        }
        if let ahead {
            let latest = now.advanced(by: ahead)
            guard time <= latest else { throw .tooFarAhead(time, latest: latest) }
        }
    }
}

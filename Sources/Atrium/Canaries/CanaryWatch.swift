import CoreMetrics
import Kernel
import Logging
import Postgres
import ServiceLifecycle
import Synchronization
import Tenancy

/// Keeps trying to cross from one canary to the other through every door, and raises the alarm at the first success.
///
/// `atrium_canary_crossings_total` has to stay at zero for as long as the program lives; `atrium_canary_attempts_total`
/// has to grow, and `atrium_canary_failures_total` counts rounds that could not be gone: a watch that sleeps proves
/// nothing.
struct CanaryWatch: Service {
    private let tenants: CanaryTenants
    private let dataPlane: DataPlane
    private let doors: [any CanaryDoor]
    private let secret: [UInt8]
    private let interval: Duration
    private let meters: [String: Meters]
    private let logger: Logger
    private let raised = AlarmBook()

    init(
        tenants: CanaryTenants, dataPlane: DataPlane, doors: [any CanaryDoor], secret: [UInt8], interval: Duration,
        metrics: any MetricsFactory, logger: Logger
    ) {
        self.tenants = tenants
        self.dataPlane = dataPlane
        self.doors = doors
        self.secret = secret
        self.interval = interval
        meters = Dictionary(uniqueKeysWithValues: doors.map { ($0.name, Meters(door: $0.name, metrics)) })
        self.logger = logger
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await round()
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Tries every door of every pair once. Tenants that came meanwhile may have brought new places.
    func round() async {
        let pairs: [CanaryPair]
        do {
            pairs = try await tenants.ensure()
            for tenant in pairs.flatMap({ [$0.a, $0.b] }) {
                try await CanaryOrder.lay(tenant, secret: secret, in: dataPlane, logger: logger)
            }
        } catch {
            for door in doors { failed(door, error) }
            return
        }
        for pair in pairs {
            for door in doors where !Task.isCancelled {
                do {
                    tell(try await door.attempt(pair), of: door, pair)
                } catch {
                    failed(door, error)
                }
            }
        }
    }

    private func tell(_ outcome: CanaryOutcome, of door: any CanaryDoor, _ pair: CanaryPair) {
        meters[door.name]?.attempts.increment(by: outcome.attempts)
        meters[door.name]?.crossings.increment(by: outcome.crossings.count)
        for way in outcome.crossings where raised.isNew("\(pair) \(door.name) \(way)") {
            logger.critical(
                "one tenant has reached another's data",
                metadata: [
                    "alarm": "tenant-crossing", "runbook": "docs/runbooks/tenant-crossing.md",
                    "door": "\(door.name)", "way": "\(way)", "tier": "\(pair.placement.rawValue)",
                    "database": "\(pair.database)", "tenant": "\(pair.a)", "reached": "\(pair.b)",
                ])
        }
    }

    private func failed(_ door: any CanaryDoor, _ error: any Error) {
        guard !Task.isCancelled else { return }
        meters[door.name]?.failures.increment()
        logger.warning("the canaries could not try a door", metadata: ["door": "\(door.name)", "error": "\(error)"])
    }

    private struct Meters {
        let attempts: Counter
        let crossings: Counter
        let failures: Counter

        init(door: String, _ factory: any MetricsFactory) {
            func counter(_ name: String) -> Counter {
                let counter = Counter(
                    label: "atrium_canary_\(name)_total", dimensions: [("door", door)], factory: factory)
                // There from the start, so that nobody mistakes what is missing for zero.
                counter.increment(by: 0)
                return counter
            }
            attempts = counter("attempts")
            crossings = counter("crossings")
            failures = counter("failures")
        }
    }

    /// Each way raises one alarm: the counter tells how often it was open since.
    private final class AlarmBook: Sendable {
        private let known = Mutex<Set<String>>([])

        func isNew(_ way: String) -> Bool { known.withLock { $0.insert(way).inserted } }
    }
}

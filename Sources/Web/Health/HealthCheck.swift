/// Something that must work before the process should get requests: it throws where it doesn't, and gives up when it is
/// cancelled.
package struct HealthCheck: Sendable {
    package let name: String
    let check: @Sendable () async throws -> Void

    package init(_ name: String, check: @escaping @Sendable () async throws -> Void) {
        self.name = name
        self.check = check
    }
}

/// What the checks found, in the order they were given.
struct HealthReport: Sendable {
    struct Finding: Sendable {
        let name: String
        /// Nil where all is well; else why not, without details that only the log should hold.
        let failure: String?
    }

    let findings: [Finding]

    var isHealthy: Bool { findings.allSatisfy { $0.failure == nil } }

    /// Runs all checks at once; one that has not ended by the deadline counts as failed.
    static func make(of checks: [HealthCheck], within deadline: Duration) async -> HealthReport {
        await withTaskGroup(of: (Int, Finding).self) { group in
            for (index, check) in checks.enumerated() {
                group.addTask { (index, await finding(of: check, within: deadline)) }
            }
            var findings: [(Int, Finding)] = []
            for await finding in group { findings.append(finding) }
            return HealthReport(findings: findings.sorted { $0.0 < $1.0 }.map(\.1))
        }
    }

    private static func finding(of check: HealthCheck, within deadline: Duration) async -> Finding {
        await withTaskGroup(of: String?.self) { group in
            group.addTask {
                do {
                    try await check.check()
                    return nil
                } catch {
                    return "\(error)"
                }
            }
            group.addTask {
                try? await Task.sleep(for: deadline)
                return "no answer within \(deadline)"
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return Finding(name: check.name, failure: first)
        }
    }
}

import ArgumentParser
import EventSchemas
import Foundation
import Kernel

struct SchemasCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Finds every change of the published language that breaks its readers.",
        discussion: """
            Without --against, the schemas are held against where this branch left the main branch, and on the main \
            branch against its last two commits. Ends with 1 where something breaks, and with 2 where it can't be told. \
            A version that this program publishes past its sunset is warned of.
            """)

    @Option(help: "The commit, branch or tag that holds what was published.")
    var against: String?
    @Option(help: "Another mode than schemas/compatibility.json says.")
    var mode: CompatibilityMode?
    @Option(help: "Another policy than schemas/compatibility.json says.")
    var policy: CompatibilityPolicy?
    @Option(help: "Compare this schema file…")
    var old: String?
    @Option(help: "…with this one, and nothing else.")
    var new: String?
    @Option(help: "The folder schemas.")
    var folder: String?
    @Flag(help: "Print the findings as JSON.")
    var json = false

    func validate() throws {
        if (old == nil) != (new == nil) { throw ValidationError("--old and --new go together") }
        if old != nil, against != nil { throw ValidationError("--against has no place beside --old and --new") }
    }

    func run() async throws {
        let report: SchemaReport
        do {
            if let old, let new {
                report = try twoFiles(old, new)
            } else {
                report = try await publishedLanguage()
            }
        } catch let error where !(error is CancellationError) {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            throw ExitCode(2)
        }
        report.print(asJSON: json)
        if report.breaks { throw ExitCode(1) }
    }

    private func twoFiles(_ old: String, _ new: String) throws -> SchemaReport {
        let before = try SchemaSources.file(old)
        let after = try SchemaSources.file(new)
        let level = CompatibilitySettings.Level(mode: mode ?? .full, policy: policy ?? .lenient)
        let findings =
            SchemaComparison(old: before, new: after, policy: level.policy).findings
            + LanguageCheck.reservedNames(from: before, to: after)
        return SchemaReport(
            findings: findings.map { FileFinding(path: new, against: old, finding: $0, level: level) },
            summary: "\(new) against \(old), \(level.mode.rawValue) \(level.policy.rawValue)")
    }

    private func publishedLanguage() async throws -> SchemaReport {
        let sources = try await SchemaSources(folder: folder)
        let current = try sources.current()
        var report = try await compared(current, sources)
        let published = Modules.publishers.flatMap { $0.published.flatMap { $0.publishedVersions } }
        report.review(current, publishing: Set(published.map { $0.type }), on: WallClock.system.now())
        return report
    }

    private func compared(_ current: PublishedLanguage, _ sources: SchemaSources) async throws -> SchemaReport {
        let settings = try sources.settings()
        guard let repository = try await GitRepository(around: sources.events.path) else {
            let place = sources.events.path
            if against != nil { throw GitRepository.Failure(description: "\(place) belongs to no git repository.") }
            return SchemaReport(
                findings: [], notes: ["\(place) belongs to no git repository: there is nothing to compare with"],
                summary: "\(current.schemas.count) schemas, compared with nothing")
        }
        let base = try await base(in: repository)
        var report = SchemaReport(notes: base.notes)
        if try await repository.isShallow() {
            report.notes.append("this clone is shallow: earlier states of a schema may be missing from the comparison")
        }
        for (name, commit) in base.commits {
            let before = try await SchemaSources.language(of: repository, at: commit, named: String(commit.prefix(9)))
            let check = LanguageCheck(
                old: before, new: current,
                history: try await SchemaSources.history(of: repository, upTo: commit, old: before, new: current),
                settings: settings, mode: mode, policy: policy, now: WallClock.system.now())
            report.add(check.findings())
            report.against.append("\(name) (\(commit.prefix(9)))")
        }
        let compared = report.against.isEmpty ? "nothing" : report.against.joined(separator: " and ")
        report.summary = "\(current.schemas.count) schemas against \(compared)"
        return report
    }

    private func base(in repository: GitRepository) async throws -> ComparisonBase {
        guard let against else { return try await ComparisonBase.find(in: repository) }
        if let commit = try await repository.commit(against) { return ComparisonBase(commits: [(against, commit)]) }
        let hint =
            try await repository.isShallow()
            ? "This clone is shallow; git fetch --unshallow, or git fetch origin \(against), may bring it."
            : "git branch --all lists what there is; git fetch brings what is new."
        throw GitRepository.Failure(description: "There is no commit \(against) in this repository. \(hint)")
    }
}

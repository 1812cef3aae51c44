/// One thing that is wrong, and where.
package struct Finding: Sendable, Hashable, Codable {
    package let rule: Rule
    package let level: Level
    /// From the root of the project.
    package let path: String
    /// From 1.
    package let line: Int
    package let message: String
    /// Why nobody minds, where the settings say so.
    package var ignoredFor: String?

    init(_ rule: Rule, _ path: String, _ line: Int, _ message: String) {
        (self.rule, level, self.path, self.line, self.message) = (rule, rule.level, path, line, message)
    }
}

/// Whether the server's version is one that keeps rows apart as far as is known.
struct ServerVersionCheck {
    private(set) var finding: String?
    private(set) var warning: String?

    /// The first releases without CVE-2025-8713, through which statistics gave away rows that row security hides.
    private static let sound = [15: 14, 16: 10, 17: 6]

    /// - Parameter text: as the server reports it: `15.18 (Debian 15.18-0+deb12u1)`, `18beta2`.
    init(_ text: String) {
        let numbers = text.prefix { $0.isNumber || $0 == "." }.split(separator: ".").map { Int($0) ?? 0 }
        let (major, minor) = (numbers.first ?? 0, numbers.count > 1 ? numbers[1] : 0)
        if major < 15 {
            finding = "PostgreSQL \(text) is too old; install 15.14, 16.10, 17.6 or newer"
        } else if let least = Self.sound[major], minor < least {
            finding = """
                PostgreSQL \(text) gives away rows of other tenants through its statistics (CVE-2025-8713); install \
                \(major).\(least) or newer
                """
        } else if Self.sound[major] == nil {
            warning = "PostgreSQL \(text) is newer than what Atrium was tested with, which is 15 to 17"
        }
    }
}

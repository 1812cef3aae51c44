import Foundation

/// The programs of one PostgreSQL installation.
package struct PostgresBinaries: Hashable, Sendable {
    package let directory: String
    package let majorVersion: Int

    /// The oldest version whose features the schemas use, and the newest that has been tried.
    package static let supported = 15...18

    package func program(_ name: String) -> String { "\(directory)/\(name)" }

    /// Finds the newest installation, or the one of `version`, which is what an existing data folder needs.
    ///
    /// `PG_BINDIR` goes before Debian's folders, and those before `pg_config`.
    package static func find(
        version: Int? = nil, environment: [String: String] = ProcessInfo.processInfo.environment,
        debianRoot: String = "/usr/lib/postgresql"
    ) async throws -> PostgresBinaries {
        if let named = environment["PG_BINDIR"], !named.isEmpty {
            guard let binaries = await probe(named) else {
                throw DevStackError(
                    .programMissing,
                    "PG_BINDIR is \(named), where no working initdb and postgres are. Correct it or unset it.")
            }
            return try binaries.checked(for: version)
        }
        for candidate in supported.reversed() where version == nil || version == candidate {
            if let binaries = await probe("\(debianRoot)/\(candidate)/bin") { return binaries }
        }
        if let folder = await folderByPgConfig(), let binaries = await probe(folder) {
            return try binaries.checked(for: version)
        }
        let wanted = version ?? 15
        throw DevStackError(
            .programMissing,
            """
            No PostgreSQL \(version.map(String.init) ?? "15 to 18") server was found in PG_BINDIR or \(debianRoot). \
            Install it (apt-get install postgresql-\(wanted)) or set PG_BINDIR to the folder of its programs.
            """)
    }

    private func checked(for version: Int?) throws -> PostgresBinaries {
        guard Self.supported.contains(majorVersion), version == nil || version == majorVersion else {
            throw DevStackError(
                .wrongVersion,
                """
                \(directory) holds PostgreSQL \(majorVersion), but \(version.map(String.init) ?? "15 to 18") is needed. \
                Install postgresql-\(version ?? 15), or start over with `atrium dev --reset`.
                """)
        }
        return self
    }

    private static func probe(_ directory: String) async -> PostgresBinaries? {
        let needed = ["postgres", "initdb", "pg_basebackup", "psql"]
        guard needed.allSatisfy({ access("\(directory)/\($0)", X_OK) == 0 }) else { return nil }
        // "postgres (PostgreSQL) 15.20 (Debian …)"
        guard let answer = try? await ChildProcess.run(Program("\(directory)/postgres", ["--version"])),
            let number = answer.output.split(separator: " ").dropFirst(2).first,
            let major = Int(number.prefix(while: \.isNumber))
        else { return nil }
        return PostgresBinaries(directory: directory, majorVersion: major)
    }

    private static func folderByPgConfig() async -> String? {
        guard let config = Program.find("pg_config"),
            let answer = try? await ChildProcess.run(Program(config, ["--bindir"])), answer.status.isSuccess
        else { return nil }
        return answer.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

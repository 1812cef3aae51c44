/// What a borrower can leave on a connection for the next one to find.
package enum Leftover: String, Sendable, Hashable, CaseIterable {
    case transaction
    case role
    case setting
    case advisoryLock = "advisory lock"
    case listening
    case cursor
    case temporaryObject = "temporary object"
    case preparedStatement = "prepared statement"
    case library
    /// The proof itself failed.
    case unproven
}

/// What the statements of a lease may have left in the session, judged by the command tags of their results.
struct SessionMarks {
    /// The most names of settings to ask for; a text with more of them can't be proven harmless.
    private static var maximumNames: Int { 256 }

    private(set) var isSuspect = false
    private(set) var customSettings: Set<String> = []
    /// What no query can show.
    private(set) var certain: Set<Leftover> = []

    mutating func note(command: String, hasRows: Bool, of statement: Statement) {
        if Self.leavesNothing(command, hasRows: hasRows) || (statement.isLocal && command == "SET") { return }
        isSuspect = true
        noteWords(of: statement.sql.text)
    }

    mutating func note(script: String) {
        isSuspect = true
        noteWords(of: script)
    }

    private static func leavesNothing(_ command: String, hasRows: Bool) -> Bool {
        switch command {
        case "", "BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SHOW", "SET CONSTRAINTS":
            return true
        default: break
        }
        // CREATE TABLE AS and SELECT INTO call themselves SELECT, and have no rows to show. EXPLAIN is not among these:
        // with ANALYZE it runs CREATE TABLE AS.
        return (hasRows && command.hasPrefix("SELECT ")) || command.hasPrefix("INSERT ")
            || command.hasPrefix("UPDATE ") || command.hasPrefix("DELETE ") || command.hasPrefix("MERGE ")
    }

    /// Words with a dot are a superset of the custom settings that the text names; nothing shows what LOAD did.
    private mutating func noteWords(of text: String) {
        func isPart(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "$") || byte >= 0x80
                || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
                || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
        }
        // Without the quotes, which a name may be written in: "atrium"."tenant_id".
        let bytes = text.utf8.filter { $0 != UInt8(ascii: "\"") }
        for word in bytes.split(whereSeparator: { !isPart($0) }) {
            if word.elementsEqual("load".utf8, by: { $0 | 0x20 == $1 }) { certain.insert(.library) }
            guard word.contains(UInt8(ascii: ".")) else { continue }
            guard customSettings.count < Self.maximumNames else {
                certain.insert(.setting)
                return
            }
            customSettings.insert(String(decoding: word, as: UTF8.self))
        }
    }
}

extension SQL {
    /// Asks the server what is left in the session: one row for each thing, its kind and its name.
    ///
    /// Names and operators are written out in full, because what was left may be a search path that hides them.
    static func leftovers(customSettings names: [String]) -> SQL {
        """
        SELECT 'role', current_user::pg_catalog.text WHERE current_user OPERATOR(pg_catalog.<>) session_user
        UNION ALL
        SELECT 'role', session_user::pg_catalog.text
        FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) AS own
        WHERE pg_catalog.pg_get_userbyid(own.usesysid) OPERATOR(pg_catalog.<>) session_user
        UNION ALL
        SELECT 'setting', own.name FROM pg_catalog.pg_settings AS own
        WHERE own.source OPERATOR(pg_catalog.=) 'session'
            AND (own.setting OPERATOR(pg_catalog.=) own.reset_val) IS NOT TRUE
        UNION ALL
        SELECT 'setting', own FROM pg_catalog.unnest(\(names)::pg_catalog.text[]) AS own
        WHERE pg_catalog.length(pg_catalog.current_setting(own, true)) OPERATOR(pg_catalog.>) 0
        UNION ALL
        SELECT 'advisory lock', pg_catalog.concat_ws(' ', own.classid, own.objid) FROM pg_catalog.pg_locks AS own
        WHERE own.locktype OPERATOR(pg_catalog.=) 'advisory' AND own.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
        UNION ALL
        SELECT 'listening', own FROM pg_catalog.pg_listening_channels() AS own
        UNION ALL
        SELECT 'cursor', own.name FROM pg_catalog.pg_cursors AS own WHERE own.is_holdable
        UNION ALL
        SELECT 'temporary object', own.relname::pg_catalog.text FROM pg_catalog.pg_class AS own
        WHERE own.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()
        UNION ALL
        SELECT 'temporary object', own.proname::pg_catalog.text FROM pg_catalog.pg_proc AS own
        WHERE own.pronamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()
        UNION ALL
        SELECT 'prepared statement', own.name FROM pg_catalog.pg_prepared_statements AS own WHERE own.from_sql
        """
    }
}

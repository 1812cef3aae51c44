import CSodium

/// Argon2id version 1.3 of libsodium, always with one lane. Blocks its thread for as long as a hash is meant to take.
enum Argon2id {
    struct Parameters: Hashable, Sendable {
        let passes: UInt64
        let memoryBytes: Int

        /// The least that OWASP recommends: 19 MiB and two passes.
        static let standard = Parameters(passes: 2, memoryBytes: 19 * 1024 * 1024)
    }

    /// - Returns: the text form `$argon2id$v=19$m=…,t=…,p=1$salt$hash`, with a new salt each time.
    static func hash(_ password: String, _ parameters: Parameters) throws(OutOfMemory) -> String {
        _ = isReady
        var password = password
        var text = [CChar](repeating: 0, count: crypto_pwhash_strbytes())
        let failure = password.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { characters in
                crypto_pwhash_str_alg(
                    &text, characters.baseAddress ?? emptyText, UInt64(characters.count), parameters.passes,
                    parameters.memoryBytes, crypto_pwhash_alg_argon2id13())
            }
        }
        guard failure == 0 else { throw OutOfMemory() }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Whether the hash is of this password; `false` also for a text that is no hash.
    static func isHash(_ text: String, of password: String) -> Bool {
        _ = isReady
        var password = password
        guard let text = terminated(text) else { return false }
        return password.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { characters in
                crypto_pwhash_str_verify(text, characters.baseAddress ?? emptyText, UInt64(characters.count)) == 0
            }
        }
    }

    static func isOutdated(_ text: String, under parameters: Parameters) -> Bool {
        _ = isReady
        guard let text = terminated(text) else { return true }
        return crypto_pwhash_str_needs_rehash(text, parameters.passes, parameters.memoryBytes) != 0
    }

    /// libsodium asks for the whole buffer, not only for the text's own length.
    private static func terminated(_ text: String) -> [CChar]? {
        let length = crypto_pwhash_strbytes()
        guard text.utf8.count < length else { return nil }
        return text.utf8.map(CChar.init(bitPattern:)) + Array(repeating: 0, count: length - text.utf8.count)
    }

    // Set up once, on first use; may be called from any thread.
    private static let isReady: Bool = {
        precondition(sodium_init() >= 0, "libsodium found no source of randomness")
        return true
    }()

    /// What an empty password points to: the C functions take no null. Unsafe because it is a pointer; it is written once,
    /// before anybody sees it, and never freed.
    private nonisolated(unsafe) static let emptyText: UnsafePointer<CChar> = {
        let pointer = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        pointer.initialize(to: 0)
        return UnsafePointer(pointer)
    }()
}

/// The memory that a hash needs was not to be had.
struct OutOfMemory: Error {}

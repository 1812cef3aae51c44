import BillingContracts
import Crypto
import Foundation
import IdentityContracts
import Kernel
import MeteringContracts
import OrdersContracts
import TestSupport

/// The data of events as they were published once, byte for byte, and as they must stay readable.
struct GoldenBytes: Sendable {
    static let folder = Places.packageRoot.appending(path: "schemas/golden", directoryHint: .isDirectory)

    struct File: Sendable, CustomStringConvertible {
        /// Such as `orders/order.placed.v1/typical.json`.
        let path: String
        let bytes: [UInt8]

        var type: String { path.split(separator: "/").prefix(2).joined(separator: ".") }
        var description: String { path }
    }

    let files: [File]
    /// Checksum by path.
    let listed: [String: String]

    static func project() throws -> GoldenBytes {
        let names = FileManager.default.enumerator(atPath: folder.path())?.allObjects as? [String] ?? []
        let list = try String(contentsOf: folder.appending(path: "SHA256SUMS"), encoding: .utf8)
        return GoldenBytes(
            files: try names.filter { $0.hasSuffix(".json") }.sorted().map {
                File(path: $0, bytes: Array(try Data(contentsOf: folder.appending(path: $0))))
            },
            listed: Dictionary(
                list.split(separator: "\n").map { line in
                    let parts = line.split(separator: " ", maxSplits: 1)
                    return (parts[1].trimmingCharacters(in: .whitespaces), String(parts[0]))
                }, uniquingKeysWith: { first, _ in first + " is listed twice" }))
    }

    /// What differs from the list.
    func differences() -> [String] {
        var found: [String] = []
        for file in files {
            let checksum = SHA256.hash(data: file.bytes).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
                .joined()
            switch listed[file.path] {
            case checksum: break
            case nil: found.append("\(file) is not in SHA256SUMS: add it there")
            default: found.append("\(file) was changed; what was published once stays: put it back, and add a file")
            }
        }
        let there = Set(files.map(\.path))
        return found + listed.keys.filter { !there.contains($0) }.sorted().map { "\($0) is gone: put it back" }
    }

    /// Every version of every event that there is or was.
    static let events: [any IntegrationEvent.Type] =
        IdentityLanguage.events + OrdersLanguage.events + BillingLanguage.events + MeteringLanguage.events

    /// The type without its version, and its version.
    static func family(_ type: String) -> (name: String, version: Int) {
        let parts = type.split(separator: ".")
        return (parts.dropLast().joined(separator: "."), Int(parts.last?.dropFirst() ?? "") ?? 0)
    }

    /// The newest version of what a type is a version of.
    static func newest(of type: String) -> (any IntegrationEvent.Type)? {
        events.filter { family($0.type).name == family(type).name }
            .max { family($0.type).version < family($1.type).version }
    }
}

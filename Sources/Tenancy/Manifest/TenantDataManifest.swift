package import Foundation

/// Every store of tenants' data, as `schemas/tenant-data-manifest.yaml` lists them.
package struct TenantDataManifest: Sendable {
    package static let fileName = "tenant-data-manifest.yaml"

    package let stores: [DataStore]
    /// What messages call the file.
    package let file: String

    package init(contentsOf url: URL) throws {
        guard let data = FileManager.default.contents(atPath: url.path), let text = String(data: data, encoding: .utf8)
        else { throw ManifestUnreadable(path: url.path) }
        try self.init(text, file: "schemas/\(url.lastPathComponent)")
    }

    package init(_ text: String, file: String = "schemas/\(Self.fileName)") throws(ManifestMistakes) {
        var reader = ManifestReader()
        stores = reader.stores(text)
        self.file = file
        guard reader.mistakes.isEmpty else { throw ManifestMistakes(file: file, mistakes: reader.mistakes) }
    }

    func stores(of kind: DataStore.Kind) -> [DataStore] { stores.filter { $0.kind == kind } }
}

/// Something in the manifest that is not as its head says, and where.
package struct ManifestMistake: Hashable, Sendable {
    package let line: Int
    package let text: String
}

/// Every mistake of a manifest at once.
package struct ManifestMistakes: Error, Hashable, CustomStringConvertible {
    package let file: String
    package let mistakes: [ManifestMistake]

    package var description: String {
        mistakes.sorted { $0.line < $1.line }.map { "\(file):\($0.line): \($0.text)" }.joined(separator: "\n")
    }
}

struct ManifestUnreadable: Error, CustomStringConvertible {
    let path: String

    var description: String {
        "\(path) can't be read as UTF-8; point ATRIUM_SCHEMAS to the folder schemas that came with this version"
    }
}

package import Foundation

extension EventCatalogue {
    /// What the folder's files would have to become, one sentence a file.
    package func differences(in folder: URL) -> [String] {
        let files = files
        var found: [String] = []
        for (name, text) in files where text != (try? String(contentsOf: folder.appending(path: name), encoding: .utf8))
        {
            found.append("\(name) is not current")
        }
        return (found + strangers(in: folder, besides: files).map { "\($0) describes nothing that there is" }).sorted()
    }

    /// Writes what is different; answers the names.
    package func write(in folder: URL) throws -> [String] {
        let files = files
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var changed: [String] = []
        for (name, text) in files {
            let file = folder.appending(path: name)
            guard text != (try? String(contentsOf: file, encoding: .utf8)) else { continue }
            try Data(text.utf8).write(to: file, options: .atomic)
            changed.append(name)
        }
        for name in strangers(in: folder, besides: files) {
            try FileManager.default.removeItem(at: folder.appending(path: name))
            changed.append(name)
        }
        return changed.sorted()
    }

    /// Pages of events that are no more. What others keep in the folder is theirs.
    private func strangers(in folder: URL, besides files: [String: String]) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))) ?? []
        return names.filter { name in
            let page = try? String(contentsOf: folder.appending(path: name), encoding: .utf8)
            return files[name] == nil && page?.hasPrefix(Self.mark) == true
        }
    }
}

import DevStack
import Foundation

/// Made at the first start and kept in the state folder, for its owner's eyes only.
struct DevSecrets: Codable, Sendable {
    let operatorKey: String
    let secret: String
    let databasePassword: String
    let provisionerPassword: String
    let demoPassword: String

    static func load(from directory: DevDirectory) throws -> DevSecrets {
        let path = "\(directory.path)/secrets.json"
        if let data = FileManager.default.contents(atPath: path) {
            guard let secrets = try? JSONDecoder().decode(DevSecrets.self, from: data) else {
                throw ConfigurationMistakes(["\(path) can't be read; start over with: atrium dev --reset"])
            }
            return secrets
        }
        let secrets = DevSecrets(
            operatorKey: "operator_" + random(), secret: random(), databasePassword: random(),
            provisionerPassword: random(), demoPassword: "demo-" + random().prefix(12))
        let data = try JSONEncoder().encode(secrets)
        // Beside and then in place: a crash in between leaves no half of a file.
        let beside = "\(path).new"
        guard FileManager.default.createFile(atPath: beside, contents: data, attributes: [.posixPermissions: 0o600]),
            rename(beside, path) == 0
        else {
            throw ConfigurationMistakes(["\(path) can't be written; check the folder's rights and the free space"])
        }
        return secrets
    }

    private static func random() -> String {
        (0..<3).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
    }
}

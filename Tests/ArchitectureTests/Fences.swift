import Foundation

/// The rules that hold the parts of the program apart. Each answers what breaks it, by path.
enum Fences {
    /// What each target of the platform may import of ours; whatever is not named here is not ours.
    static let platform: [String: Set<String>] = [
        "Kernel": [], "Reactor": [], "Telemetry": [], "Failpoints": [],
        "EventSchemas": ["Kernel"],
        "Postgres": ["CPostgres", "Kernel", "Reactor"],
        "Kafka": ["CRDKafka", "Kernel", "Reactor"],
        "Tenancy": ["Postgres", "Kernel", "Failpoints"],
        "Messaging": ["Postgres", "Kafka", "Tenancy", "Kernel", "Failpoints"],
        "Web": ["Tenancy", "Telemetry", "Kernel"],
        "DevStack": [],
        "EventLanguage": ["EventSchemas", "Kernel"],
        "DecisionRecords": [], "ADRTool": ["DecisionRecords"],
    ]
    static let adapterPlatform: Set<String> = ["Kernel", "Postgres", "Tenancy", "Messaging", "Web"]
    static let cModules: Set<String> = ["CPostgres", "CRDKafka", "CSodium"]

    static func all(in tree: SourceTree) -> [String] {
        imports(in: tree) + foreignSchemas(in: tree) + contextsListed(in: tree) + unstructuredTasks(in: tree)
            + coreIsPure(in: tree) + contextsComposed(in: tree)
    }

    static func imports(in tree: SourceTree) -> [String] {
        let ours = ourModules(in: tree)
        var found: [String] = []
        for (target, allowed) in platform {
            for file in tree.swift(below: "Sources/\(target)") {
                for module in imported(file.text) where ours.contains(module) && !allowed.contains(module) {
                    found.append("\(file.path) imports \(module), which \(target) may not see")
                }
            }
        }
        for context in tree.contexts {
            let reacts = reactsTo(context, in: tree).map { "\($0)Contracts" }
            let layers: [String: Set<String>] = [
                "Contracts": ["Kernel"],
                "Core": Set(["Kernel", "\(context)Contracts"] + reacts),
                "Adapters": adapterPlatform.union([context, "\(context)Contracts", "CSodium"]).union(reacts),
            ]
            for (layer, allowed) in layers {
                for file in tree.swift(below: "Modules/\(context)/\(layer)") {
                    for module in imported(file.text) where ours.contains(module) && !allowed.contains(module) {
                        found.append("\(file.path) imports \(module), which \(context)'s \(layer) may not see")
                    }
                }
            }
        }
        return found
    }

    /// The core knows no SQL, HTTP or Kafka, nor any package that does.
    static func coreIsPure(in tree: SourceTree) -> [String] {
        var found: [String] = []
        for context in tree.contexts {
            for layer in ["Contracts", "Core"] {
                for file in tree.swift(below: "Modules/\(context)/\(layer)") {
                    let allowed: Set<String> = ["Foundation", "Synchronization"]
                    let ours = ourModules(in: tree)
                    for module in imported(file.text) where !ours.contains(module) && !allowed.contains(module) {
                        found.append("\(file.path) imports \(module): the core is free of infrastructure")
                    }
                }
            }
        }
        return found
    }

    /// Which contexts there are is said in one place of the program, and taken from there.
    static func contextsComposed(in tree: SourceTree) -> [String] {
        let adapters = Set(tree.contexts.map { "\($0)Adapters" })
        return tree.swift(below: "Sources/Atrium").filter { file in
            file.path != "Sources/Atrium/Server/Modules.swift" && imported(file.text).intersection(adapters).count > 1
        }.map { "\($0.path) lists contexts; take them from ContextName" }
    }

    /// No SQL of one context names another's schema.
    static func foreignSchemas(in tree: SourceTree) -> [String] {
        var found: [String] = []
        for context in tree.contexts {
            // The control plane is Identity's.
            for other in tree.contexts + ["Control"]
            where other != context && (context, other) != ("Identity", "Control") {
                let schema = other.lowercased()
                let inSwift = try! Regex(
                    "(?i)\\b(from|join|into|update|table|on|call|select)\\s+\\(?\(schema)\\.[a-z_]+")
                for file in tree.swift(below: "Modules/\(context)") where file.text.contains(inSwift) {
                    found.append("\(file.path) reaches into the schema of \(other)")
                }
                let inSQL = try! Regex("\\b\(schema)\\.[a-z_]+")
                let folder = "schemas/sql/\(context.lowercased())/"
                for (path, text) in tree.files where path.hasPrefix(folder) && text.contains(inSQL) {
                    found.append("\(path) reaches into the schema of \(other)")
                }
            }
        }
        return found.sorted()
    }

    /// A context is three targets in the manifest, a schema with roles, and nothing less.
    static func contextsListed(in tree: SourceTree) -> [String] {
        var found: [String] = []
        let manifest = tree.files["Package.swift"] ?? ""
        for context in tree.contexts {
            if !manifest.contains("context(\"\(context)\"") {
                found.append("Modules/\(context) is no context of Package.swift")
            }
            for layer in ["Contracts", "Core", "Adapters"]
            where tree.swift(below: "Modules/\(context)/\(layer)").isEmpty {
                found.append("Modules/\(context) has no \(layer)")
            }
            let schema = context.lowercased()
            if !tree.files.keys.contains(where: { $0.hasPrefix("schemas/sql/\(schema)/") }) {
                found.append("Modules/\(context) has no SQL in schemas/sql/\(schema)")
            }
            if tree.files["schemas/sql/roles.sql"]?.contains("'\(schema)'") != true {
                found.append("schemas/sql/roles.sql makes no roles for \(schema)")
            }
        }
        return found
    }

    /// Work without an owner outlives what started it: only the entry point may begin such a task.
    static func unstructuredTasks(in tree: SourceTree) -> [String] {
        let pattern = try! Regex("\\bTask(\\.detached)?\\s*(\\([^)]*\\))?\\s*\\{")
        return (tree.swift(below: "Sources") + tree.swift(below: "Modules")).flatMap { file in
            file.text.split(separator: "\n")
                .filter { $0.contains(pattern) && !$0.trimmingCharacters(in: .whitespaces).hasPrefix("//") }
                .map { "\(file.path) starts a task that nobody waits for: \($0.trimmingCharacters(in: .whitespaces))" }
        }
    }

    static func imported(_ text: String) -> Set<String> {
        let pattern =
            /(?m)^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/
        return Set(text.matches(of: pattern).map { String($0.output.1) })
    }

    private static func ourModules(in tree: SourceTree) -> Set<String> {
        var modules = Set(platform.keys).union(cModules).union(["Atrium", "TestSupport"])
        for context in tree.contexts { modules.formUnion([context, "\(context)Contracts", "\(context)Adapters"]) }
        return modules
    }

    /// The contexts whose contracts one may see, as the manifest says.
    private static func reactsTo(_ context: String, in tree: SourceTree) -> [String] {
        let manifest = tree.files["Package.swift"] ?? ""
        guard let pattern = try? Regex("context\\(\"\(context)\", reactsTo: \\[([^\\]]*)\\]"),
            let match = manifest.firstMatch(of: pattern), let list = match.output[1].substring
        else { return [] }
        return list.matches(of: /"(\w+)"/).map { String($0.output.1) }
    }
}

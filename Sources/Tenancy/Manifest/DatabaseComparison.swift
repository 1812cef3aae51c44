import Kernel

/// Holds what is in one database against what the manifest says of it.
struct DatabaseComparison {
    struct Place {
        let name: String
        let isControl: Bool
        let isSilo: Bool
    }

    private struct Expectation {
        let store: DataStore
        let isolation: DataStore.Isolation
    }

    private let manifest: TenantDataManifest
    private let place: Place
    private let contents: DatabaseContents
    private let contexts: Set<String>

    init(_ manifest: TenantDataManifest, _ place: Place, _ contents: DatabaseContents) {
        self.manifest = manifest
        self.place = place
        self.contents = contents
        contexts = Set(manifest.stores(of: .table).map(\.context))
    }

    func findings() -> [ManifestFinding] {
        var expected = expectations()
        var findings: [ManifestFinding] = []
        for relation in contents.relations {
            if let expectation = expected.removeValue(forKey: relation.fullName) {
                findings += differences(relation, expectation)
            } else {
                findings.append(unlisted(relation))
            }
        }
        for (name, expectation) in expected.sorted(by: { $0.key < $1.key }) {
            findings.append(
                finding(
                    "table \(name)", "is in the manifest (line \(expectation.store.line)) and not there",
                    "run `atrium migrate`, or take it out of \(manifest.file)"))
        }
        if contents.largeObjects > 0 {
            findings.append(
                finding(
                    "large objects", "are there, \(contents.largeObjects) of them, which no row security covers",
                    "delete them with lo_unlink"))
        }
        return findings
    }

    // MARK: What should be there

    private func expectations() -> [String: Expectation] {
        var expected: [String: Expectation] = [:]
        let suffixes = Set(contents.relations.compactMap { tenantSuffix(of: $0.schema) })
        for store in manifest.stores(of: .table) where place.isControl || store.residency != .controlPlane {
            guard let base = store.isolation[place.isSilo ? .silo : .pool], let own = store.isolation[.bridge] else {
                continue
            }
            expected[store.fullName] = Expectation(store: store, isolation: base)
            guard own == .schema else { continue }
            for suffix in suffixes {
                expected["\(store.context)\(SchemaSet.separator)\(suffix).\(store.name)"] = Expectation(
                    store: store, isolation: own)
            }
        }
        return expected
    }

    /// What is behind the context in the name of a tenant's own schema.
    private func tenantSuffix(of schema: String) -> String? {
        let context = TenantSchemas.scope(of: schema)
        guard contexts.contains(context), schema.hasPrefix(context + SchemaSet.separator) else { return nil }
        let suffix = String(schema.dropFirst(context.count + SchemaSet.separator.count))
        return TenantSchemas.isSuffix(suffix) ? suffix : nil
    }

    private func unlisted(_ relation: DatabaseContents.Relation) -> ManifestFinding {
        let name = "\(relation.kind.noun) \(relation.fullName)"
        let base = "\(TenantSchemas.scope(of: relation.schema)).\(relation.name)"
        if let store = manifest.stores(of: .table).first(where: { $0.fullName == base }) {
            return finding(
                name,
                store.residency == .controlPlane
                    ? "belongs to the control plane's database alone" : "is not kept in tenants' own schemas",
                "drop it, or correct line \(store.line) of \(manifest.file)")
        }
        return finding(name, "is not in the manifest", "describe it in \(manifest.file), or drop it")
    }

    // MARK: How it should be

    private func differences(
        _ relation: DatabaseContents.Relation, _ expectation: Expectation
    ) -> [ManifestFinding] {
        let store = expectation.store
        let name = "\(relation.kind.noun) \(relation.fullName)"
        guard relation.kind == .table || relation.kind == .partitioned else {
            return [
                finding(
                    name, "is no table, as line \(store.line) of the manifest says", "make it one, or describe it there"
                )
            ]
        }
        var findings: [ManifestFinding] = []
        for column in store.personal where !relation.columns.contains(column) {
            findings.append(
                finding(
                    name, "has no column \(column), which the manifest lists as personal",
                    "correct line \(store.line) of \(manifest.file)"))
        }
        switch expectation.isolation {
        case .rowSecurity, .schema, .database:
            findings += unfenced(relation, name)
            if !relation.hasTenant {
                findings.append(
                    finding(
                        name, "has no column tenant_id uuid NOT NULL",
                        "add it, first in every key, or correct line \(store.line) of \(manifest.file)"))
            }
            if !relation.isBound {
                findings.append(
                    finding(name, "has no policy that keeps to the transaction's tenant", "see platform.protect"))
            }
            if expectation.isolation == .schema, !relation.isKeptToOwner {
                findings.append(
                    finding(name, "takes rows of others than the schema's own tenant", "see platform.protect"))
            }
        case .closed:
            let open = relation.grantees.filter { grantee in
                grantee == "PUBLIC" || contexts.contains { grantee == "\($0)_app" }
            }
            if !open.isEmpty {
                findings.append(
                    finding(
                        name, "is open to \(open.joined(separator: ", "))",
                        "revoke that, or correct line \(store.line) of \(manifest.file)"))
            }
            if relation.columns.contains("tenant_id") { findings += unfenced(relation, name) }
        case .tagged, .keyed, .none: break
        }
        return findings
    }

    private func unfenced(_ relation: DatabaseContents.Relation, _ name: String) -> [ManifestFinding] {
        var findings: [ManifestFinding] = []
        if !relation.isSecured {
            findings.append(
                finding(
                    name, "has row security switched off", "ALTER TABLE \(relation.fullName) ENABLE ROW LEVEL SECURITY")
            )
        }
        if !relation.isForced {
            findings.append(
                finding(
                    name, "does not force row security on its owner",
                    "ALTER TABLE \(relation.fullName) FORCE ROW LEVEL SECURITY"))
        }
        for policy in relation.openPolicies {
            findings.append(
                finding(
                    name, "has the policy \(policy), which is not bound to the tenant",
                    "DROP POLICY \(policy) ON \(relation.fullName)"))
        }
        return findings
    }

    private func finding(_ store: String, _ problem: String, _ remedy: String) -> ManifestFinding {
        ManifestFinding(place: place.name, store: store, problem: problem, remedy: remedy)
    }
}

import DevStack

/// What a newcomer sees when everything runs, and what scripts read.
struct DevSummary: Sendable {
    let port: Int
    let operatorKey: String
    let tenants: [DemoTenants.Tenant]
    let kafka: String
    let database: DevDatabase
    let replica: PostgresAddress?
    /// Where the same is written for scripts.
    let environmentFile: String

    private var url: String { "http://127.0.0.1:\(port)" }

    var environment: [(name: String, value: String)] {
        var values: [(name: String, value: String)] = [
            ("ATRIUM_URL", url), ("ATRIUM_OPERATOR_KEY", operatorKey), ("ATRIUM_KAFKA", kafka),
            ("ATRIUM_KAFKA_BOOTSTRAP_SERVERS", kafka), ("ATRIUM_SECRET", database.secrets.secret),
            ("ATRIUM_DATABASE_URL", database.login.url),
            ("ATRIUM_PROVISIONER_DATABASE_URL", database.provisioner.url),
            ("ATRIUM_ADMIN_DATABASE_URL", database.cluster.primary.address.database(DevDatabase.name).url),
        ]
        if let replica { values.append(("ATRIUM_REPLICA_URL", replica.database(DevDatabase.name).url)) }
        for (index, tenant) in tenants.enumerated() {
            values.append(("ATRIUM_TENANT_\(index + 1)", tenant.slug))
            values.append(("ATRIUM_TENANT_\(index + 1)_KEY", tenant.key))
        }
        return values
    }

    var text: String {
        let keys = tenants.map { "  Tenant \($0.slug.padding(8))\($0.key)" }.joined(separator: "\n")
        return """

            Atrium is ready.

              URL            \(url)        API: \(url)/openapi.json
              Operator key   \(operatorKey)
              Kafka broker   \(kafka)
            \(keys)

            The same is in \(environmentFile). Try:

              examples/walkthrough.sh
              curl -H 'Authorization: Bearer \(tenants.first?.key ?? "")' \(url)/api/v1/me
              curl \(url)/health/ready

            Ctrl-C stops everything; state is kept. To start over: make run ARGS=--reset

            """
    }
}

extension String {
    fileprivate func padding(_ width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(1, width - count))
    }
}

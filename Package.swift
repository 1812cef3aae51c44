// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

// MARK: What comes from elsewhere

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let yaml = Target.Dependency.product(name: "Yams", package: "Yams")

// MARK: The platform

let platform: [Target] = [
    .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CRDKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .target(name: "Kernel", swiftSettings: settings),
    .target(name: "Reactor", swiftSettings: settings),
    // What of the published language breaks its readers.
    .target(name: "EventSchemas", dependencies: ["Kernel"], swiftSettings: settings),
    // Places where crash tests strike: in debug builds alone.
    .target(
        name: "Failpoints", swiftSettings: settings + [.define("FAILPOINTS", .when(configuration: .debug))]),
    .target(name: "Telemetry", dependencies: [logging, metrics, coreMetrics], swiftSettings: settings),
    .target(
        name: "Postgres", dependencies: ["CPostgres", "Kernel", "Reactor", logging, lifecycle], swiftSettings: settings),
    .target(
        name: "Kafka", dependencies: ["CRDKafka", "Kernel", "Reactor", logging, lifecycle], swiftSettings: settings),
    .target(
        name: "Tenancy", dependencies: ["Postgres", "Kernel", "Failpoints", crypto, logging, metrics, lifecycle, yaml],
        swiftSettings: settings),
    .target(
        name: "Messaging",
        dependencies: ["Postgres", "Kafka", "Tenancy", "Kernel", "Failpoints", crypto, logging, metrics, lifecycle],
        swiftSettings: settings),
    .target(
        name: "Web",
        dependencies: [
            "Tenancy", "Kernel", "Telemetry", hummingbird, hummingbirdCore, httpTypes, nioCore, nioHTTPTypes, crypto,
            logging, metrics, lifecycle,
        ],
        swiftSettings: settings),
    .target(name: "DevStack", swiftSettings: settings),
    // From schemas to contracts and documents: for the command line and tests, not for serving.
    .target(name: "EventLanguage", dependencies: ["EventSchemas", "Kernel"], swiftSettings: settings),
    // A tool of its own, which knows nothing of the rest.
    .target(name: "DecisionRecords", dependencies: [yaml], swiftSettings: settings),
    .executableTarget(
        name: "ADRTool", dependencies: ["DecisionRecords", arguments], swiftSettings: settings),
]

// MARK: The contexts

/// A bounded context is exactly three targets, and `reactsTo` is the only way one context sees another: it sees its
/// contracts and nothing else.
func context(
    _ name: String, reactsTo others: [String] = [], core: [Target.Dependency] = [],
    adapters: [Target.Dependency] = []
) -> [Target] {
    let foreign = others.map { Target.Dependency.target(name: "\($0)Contracts") }
    return [
        .target(
            name: "\(name)Contracts", dependencies: ["Kernel"], path: "Modules/\(name)/Contracts",
            swiftSettings: settings),
        .target(
            name: name, dependencies: ["Kernel", .target(name: "\(name)Contracts")] + foreign + core,
            path: "Modules/\(name)/Core", swiftSettings: settings),
        .target(
            name: "\(name)Adapters",
            dependencies: [
                .target(name: name), .target(name: "\(name)Contracts"), "Kernel", "Postgres", "Tenancy", "Messaging",
                "Web", logging,
            ] + foreign + adapters,
            path: "Modules/\(name)/Adapters", swiftSettings: settings),
        .testTarget(
            name: "\(name)Tests",
            dependencies: [
                .target(name: name), .target(name: "\(name)Adapters"), .target(name: "\(name)Contracts"), "Kernel",
                "Postgres", "Kafka", "Tenancy", "Messaging", "Web", "Telemetry", "TestSupport", "DevStack", logging,
                crypto,
            ] + foreign,
            swiftSettings: settings),
    ]
}

let contexts =
    context("Identity", adapters: ["CSodium", crypto, httpTypes])
    + context("Orders")
    + context("Billing", reactsTo: ["Identity", "Orders"])
    + context("Metering", reactsTo: ["Identity", "Orders"])

// MARK: The program and its tests

let program: [Target] = [
    .executableTarget(
        name: "Atrium",
        dependencies: [
            "IdentityAdapters", "OrdersAdapters", "BillingAdapters", "MeteringAdapters", "Kernel", "Postgres", "Kafka",
            "Tenancy", "Messaging", "Web", "Telemetry", "DevStack", "EventSchemas", "EventLanguage", logging,
            coreMetrics, lifecycle, signals, configuration, arguments, systemPackage, nioCore, nioPosix,
        ],
        swiftSettings: settings)
]

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestSupport", "DevStack"], swiftSettings: settings)
}

let testTargets: [Target] = [
    .target(
        name: "TestSupport",
        dependencies: ["DevStack", "Kernel", "Kafka", "Postgres", "Tenancy", "Messaging", logging, lifecycle],
        path: "Tests/TestSupport", swiftSettings: settings),
    tests("KernelTests", ["Kernel"]),
    .testTarget(
        name: "EventSchemasTests", dependencies: ["EventSchemas", "Kernel", "TestSupport", "DevStack"],
        exclude: ["Cases", "Python"], swiftSettings: settings),
    .testTarget(name: "DecisionRecordsTests", dependencies: ["DecisionRecords"], swiftSettings: settings),
    tests("PostgresTests", ["Postgres", "Reactor", "Kernel", logging]),
    tests("KafkaTests", ["Kafka", "Kernel", logging]),
    tests("TenancyTests", ["Tenancy", "Postgres", "Kernel", logging]),
    .testTarget(
        name: "IsolationTests",
        dependencies: [
            "Atrium", "IdentityAdapters", "OrdersAdapters", "BillingAdapters", "MeteringAdapters", "Identity", "Orders",
            "Billing", "Metering", "OrdersContracts", "BillingContracts", "MeteringContracts", "Web", "Messaging",
            "Kafka",
            "Tenancy", "Postgres", "Kernel", "Telemetry", "TestSupport", "DevStack", logging, metrics, coreMetrics,
            lifecycle,
        ],
        exclude: ["Approved"], swiftSettings: settings),
    tests(
        "MessagingTests",
        ["Messaging", "OrdersContracts", "Tenancy", "Postgres", "Kafka", "Kernel", logging, lifecycle]),
    tests(
        "EventLanguageTests",
        [
            "EventLanguage", "IdentityContracts", "OrdersContracts", "BillingContracts", "MeteringContracts",
            "Messaging",
            "Kafka", "Kernel", crypto,
        ]),
    tests("WebTests", ["Web", metrics, "Telemetry", "Tenancy", "Kernel", hummingbird, httpTypes, logging, lifecycle]),
    tests("DevStackTests", ["Kafka", "Kernel", logging]),
    tests(
        "ArchitectureTests",
        ["IdentityContracts", "OrdersContracts", "BillingContracts", "MeteringContracts", "Kernel"]),
    .testTarget(
        name: "FailpointsTests", dependencies: ["Failpoints"], swiftSettings: settings),
    .testTarget(
        name: "CrashTests",
        dependencies: ["Atrium", "Kafka", "Postgres", "Kernel", "TestSupport", "DevStack", logging],
        exclude: ["read_topics.py"], swiftSettings: settings),
    tests(
        "EndToEndTests", ["Atrium", "Kafka", "Postgres", "Kernel", logging, lifecycle, hummingbird, httpTypes]),
]

let package = Package(
    name: "atrium",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "atrium", targets: ["Atrium"]),
        .executable(name: "adr", targets: ["ADRTool"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["JSON"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: platform + contexts + program + testTargets
)

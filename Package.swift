// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0335-existential-any.md
    .enableUpcomingFeature("ExistentialAny"),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0409-access-level-on-imports.md
    .enableUpcomingFeature("InternalImportsByDefault"),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0444-member-import-visibility.md
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// A target of Swift sources; every one is built with the same settings.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "orbital-usage",
    products: [
        .executable(name: "orbital-fcgi", targets: ["orbital-fcgi"]),
        .executable(name: "orbitalctl", targets: ["orbitalctl"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CFastCGI", pkgConfig: "fcgi", providers: [.apt(["libfcgi-dev"])]),
        // What libfcgi calls to read.
        .target(name: "CRecordFilter"),
        .systemLibrary(
            name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        // Headers alone: rapidjson-dev.
        .target(name: "CRapidJSON"),
        .systemLibrary(
            name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        // Posts webhooks.
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CThreads"),
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        module("Threads", ["CThreads"]),
        module("Metrics"),
        module("FastCGI", ["CFastCGI", "CRecordFilter", "Threads"]),
        module("Encoding", ["CRapidJSON"]),
        module("MessageReader", ["Encoding", "Usage"]),
        module("APIKeys", ["CCrypto", "Encoding"]),
        module("Postgres", ["CPostgres", "Threads"]),
        module("HTTP", ["Encoding"]),
        module("Tokenizer"),
        module("Usage", ["Encoding"]),
        module("Configuration", ["Postgres"]),
        module("UsageStore", ["Postgres", "Threads", "Tokenizer", "Usage"]),
        module(
            "UsageAPI",
            [
                "APIKeys", "Encoding", "HTTP", "MessageReader", "Metrics", "Threads", "Usage",
                "UsageStore",
            ]),
        program(
            "orbital-fcgi",
            [
                "Configuration", "Encoding", "FastCGI", "HTTP", "Metrics", "Threads", "UsageAPI",
                "UsageStore", log,
            ]),
        program(
            "orbitalctl",
            [
                "APIKeys", "CCurl", "CZlib", "Configuration", "Encoding", "FastCGI",
                "MessageReader", "Tokenizer", "Usage", "UsageStore", arguments,
            ]),
        .target(
            name: "TestSupport", dependencies: ["FastCGI", "Postgres", "UsageStore"],
            path: "Tests/TestSupport", swiftSettings: settings),
        // No product: Tests/Benchmarks runs it, instructions.py under callgrind and tokenizers.py.
        .executableTarget(
            name: "instruction-counts",
            dependencies: [
                "HTTP", "MessageReader", "Postgres", "Tokenizer", "Usage", "UsageAPI", "UsageStore",
            ],
            path: "Tests/InstructionCounts", swiftSettings: settings),
        tests("FastCGITests", ["FastCGI", "TestSupport"]),
        tests("PostgresTests", ["Postgres", "TestSupport"]),
        tests("EncodingTests", ["Encoding"]),
        tests("MessageReaderTests", ["Encoding", "MessageReader", "Usage"]),
        tests("HTTPTests", ["HTTP"]),
        tests("MetricsTests", ["Metrics"]),
        tests("TokenizerTests", ["Tokenizer", "TestSupport"]),
        tests("UsageTests", ["Usage"]),
        tests("ConfigurationTests", ["Configuration", "TestSupport"]),
        tests("UsageStoreTests", ["UsageStore", "Usage", "Postgres", "TestSupport"]),
        tests(
            "UsageAPITests",
            ["UsageAPI", "HTTP", "Usage", "UsageStore", "Postgres", "TestSupport"]),
        tests("OrbitalCTLTests", ["Postgres", "TestSupport"]),
        tests(
            "EndToEndTests",
            ["FastCGI", "Postgres", "TestSupport", "Tokenizer", "Usage", "UsageStore"]),
        // These measure, so they run alone on the machine.
        tests("SpeedTests", ["FastCGI", "Postgres", "TestSupport", "Usage", "UsageStore"]),
        // `make test` skips these; `make test-full` runs them.
        tests("LongTests", ["Postgres", "TestSupport"]),
    ],
    swiftLanguageModes: [.v6]
)

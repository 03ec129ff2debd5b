import Postgres

/// A key of the configuration: name, default, meaning, and parser.
public struct SettingsKey: Sendable {
    /// The name, the same in files and in the environment.
    public let name: String

    /// The default value as text.
    public let defaultValue: String

    /// The meaning, with limits.
    public let meaning: String

    /// Stores a value; returns a fault if it is invalid, without repeating the value.
    let store: @Sendable (String, inout Settings) -> String?

    /// All keys, in the order of the table in deploy/README.md.
    public static let all: [SettingsKey] = [
        SettingsKey(
            name: "DATABASE_URL", defaultValue: Settings().databaseURL,
            meaning: "PostgreSQL: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with "
                + "% @ / : # ? in user and password percent-encoded, or libpq's keywords"
        ) { value, settings in
            do throws(DatabaseURLFault) {
                settings.databaseURL = try DatabaseURL(value).text
                return nil
            } catch {
                return "DATABASE_URL \(error.description)"
            }
        },
        .choice(
            "ACCESS",
            "who may read: everybody (open), or only holders of a key (keyed, the default in "
                + "production)",
            \.access),
        .number(
            "DATABASE_WAIT_SECONDS",
            "timeout for PostgreSQL, in seconds: for all waits together until the response starts, "
                + "then for each row",
            1...3600, \.databaseWaitSeconds),
        .key(
            "SOCKET_PATH", "Unix socket of the responder, up to 107 bytes", \.socketPath,
            expected: "an absolute path of at most 107 bytes"
        ) { (2...107).contains($0.utf8.count) && $0.hasPrefix("/") ? $0 : nil },
        .number(
            "WORKERS", "threads; each borrows a database connection when it needs one", 1...256,
            \.workers),
        .number(
            "RESERVED_WORKERS",
            "workers reserved for health checks: other requests that wait for PostgreSQL cannot "
                + "occupy them",
            0...255, \.reservedWorkers),
        .number(
            "QUEUE_LIMIT", "requests that may wait for a worker; the next one gets a 503",
            1...10_000, \.queueLimit),
        .number(
            "CONNECTION_LIMIT", "maximum idle connections from nginx", 1...10_000,
            \.connectionLimit),
        .number(
            "CLIENT_WAIT_SECONDS", "timeout for the rest of a request, in seconds", 1...3600,
            \.clientWaitSeconds),
        .number(
            "DRAIN_SECONDS", "timeout for running requests at shutdown, in seconds", 1...3600,
            \.drainSeconds),
        .number(
            "CACHE_SECONDS",
            "Cache-Control max-age of responses, in seconds; 0: always revalidate",
            0...86_400, \.cacheSeconds),
        .number(
            "CACHE_MEGABYTES", "memory for cached responses, in MiB; 0 disables the cache",
            0...4096, \.cacheMegabytes),
        .key(
            "TOKENIZER_DIRECTORY",
            "vocabularies of exact tokenizers, such as `o200k_base.tiktoken`; loaded when a rate "
                + "needs one",
            \.tokenizerDirectory, expected: "a directory"
        ) { $0.isEmpty ? nil : $0 },
        .number(
            "ATTRIBUTION_LIMIT",
            "maximum combinations of user, team, model and tags; beyond it, messages with new ones "
                + "are invalid; 0: no limit",
            0...Int(Int32.max), \.attributionLimit),
        .key(
            "STORE_TEXT",
            "texts of messages over HTTP and by import: stored (on), only their digests (off), or "
                + "stored until `orbitalctl erase text` runs this number of days after the message "
                + "(1 to \(Settings.StoreText.dayLimit))",
            \.storeText,
            expected: "on, off or a number of days from 1 to \(Settings.StoreText.dayLimit)"
        ) { Settings.StoreText($0) },
        .choice(
            "LOG_LEVEL", "minimum level of log lines: debug, info, warning, error",
            \.logLevel),
        .choice(
            "LOG_FORMAT", "format of log lines: text, or json, one object for each line",
            \.logFormat),
        .number(
            "SLOW_MILLISECONDS",
            "requests that take longer are logged with the time of each phase; 0 disables this",
            0...3_600_000, \.slowMilliseconds),
        .key(
            "WEBHOOK_URL", "where `orbitalctl notify` posts events of budgets", \.webhookURL,
            expected: "an https address, or an http address of this host, without a password"
        ) { Settings.isWebhook($0) ? $0 : nil },
        .key(
            "WEBHOOK_SECRET", "the secret that signs them: whsec_ and the base64 of 24 to 64 bytes",
            \.webhookSecret, expected: "whsec_ and the base64 of 24 to 64 bytes"
        ) { Settings.isWebhookSecret($0) ? $0 : nil },
        .number("PORT", "port of the website, for orbitalctl check", 1...65_535, \.port),
    ]

    /// Keys of earlier versions, which cause a warning, and the version that removed them.
    static let removed = [
        (name: "SPOOL_DIRECTORY", version: "0.2.0"), (name: "SPOOL_MEGABYTES", version: "0.2.0"),
    ]

    private static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ meaning: String,
        _ property: any WritableKeyPath<Settings, Value> & Sendable
    ) -> SettingsKey {
        key(name, meaning, property, expected: list(Value.self)) { Value(rawValue: $0) }
    }

    /// The values of a choice, such as `text or json`.
    static func list<Value: RawRepresentable<String> & CaseIterable>(_: Value.Type) -> String {
        let names = Value.allCases.map(\.rawValue)
        return names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
    }

    private static func number(
        _ name: String, _ meaning: String, _ range: ClosedRange<Int>,
        _ property: any WritableKeyPath<Settings, Int> & Sendable
    ) -> SettingsKey {
        let limits = "\(range.lowerBound) to \(range.upperBound)"
        return key(
            name, "\(meaning) (\(limits))", property, expected: "a number from \(limits)"
        ) { text in Int(text).flatMap { range.contains($0) ? $0 : nil } }
    }

    /// A key whose values `parse` reads; it returns nil for a value that is not as `expected`.
    private static func key<Value: Sendable>(
        _ name: String, _ meaning: String,
        _ property: any WritableKeyPath<Settings, Value> & Sendable, expected: String,
        _ parse: @escaping @Sendable (String) -> Value?
    ) -> SettingsKey {
        let standard = "\(Settings()[keyPath: property])"
        return SettingsKey(name: name, defaultValue: standard, meaning: meaning) {
            guard let value = parse($0) else { return "\(name) must be \(expected)" }
            $1[keyPath: property] = value
            return nil
        }
    }
}

/// The configuration of the service, read once from file and environment.
public struct Settings: Equatable, Sendable {
    /// The purpose of an installation.
    public enum Environment: String, CaseIterable, Sendable { case development, production, test }

    /// Who may read: everybody, or only holders of a key.
    public enum Access: String, CaseIterable, Sendable { case open, keyed }

    /// The severity of a log line.
    public enum LogLevel: String, CaseIterable, Sendable { case debug, info, warning, error }

    /// The format of log lines: for people or for programs.
    public enum LogFormat: String, CaseIterable, Sendable { case text, json }

    /// Whether texts of messages are stored.
    public enum StoreText: Equatable, Sendable {
        /// Permanently.
        case on
        /// Not at all: their digests are.
        case off
        /// Until `orbitalctl erase text` runs this number of days after the message.
        case days(Int)
    }

    /// The purpose of this installation.
    public var environment = Environment.development

    /// The validated connection string, in a form that libpq accepts.
    public var databaseURL = "postgresql://user:pass@localhost/orbital"

    /// Who may read.
    public var access = Access.open

    /// Timeout for all waits of a request for PostgreSQL, in seconds.
    public var databaseWaitSeconds = 30

    /// The Unix socket that nginx connects to.
    public var socketPath = "/run/orbital-usage/orbital.sock"

    /// Threads that handle requests; each borrows a database connection when it needs one.
    public var workers = 16

    /// Workers that requests waiting for PostgreSQL leave free, for health checks.
    public var reservedWorkers = 2

    /// Requests that may wait for a worker.
    public var queueLimit = 256

    /// Maximum idle connections.
    public var connectionLimit = 1024

    /// Timeout of a read from the web server, in seconds.
    public var clientWaitSeconds = 60

    /// Timeout for running requests at shutdown, in seconds.
    public var drainSeconds = 30

    /// `Cache-Control: max-age` of responses, in seconds; 0: always revalidate.
    public var cacheSeconds = 0

    /// Memory for cached responses, in MiB.
    public var cacheMegabytes = 4

    /// The directory of the vocabularies of exact tokenizers.
    public var tokenizerDirectory = "/usr/share/orbital-usage/tokenizers"

    /// Maximum number of attributions; 0: any.
    public var attributionLimit = 1_000_000

    /// Whether texts of messages are stored.
    public var storeText = StoreText.on

    /// The minimum level.
    public var logLevel = LogLevel.info

    /// The format of log lines.
    public var logFormat = LogFormat.text

    /// Threshold for logging slow requests, in milliseconds; 0 logs none.
    public var slowMilliseconds = 1000

    /// The port of the website, which `orbitalctl check` tests.
    public var port = 8000

    /// Where `orbitalctl notify` posts events; empty for nowhere.
    public var webhookURL = ""

    /// The secret that signs them: `whsec_` and base64.
    public var webhookSecret = ""

    /// Warnings about a valid configuration, for its administrator.
    public var warnings: [String] = []

    /// Makes the defaults.
    public init() {}
}

extension Settings.StoreText: CustomStringConvertible {
    /// The most days.
    static let dayLimit = 36_500

    /// Reads `on`, `off` or a number of days; nil if `text` is neither.
    init?(_ text: String) {
        switch text {
        case "on": self = .on
        case "off": self = .off
        default:
            guard let days = Int(text), (1...Self.dayLimit).contains(days) else { return nil }
            self = .days(days)
        }
    }

    /// The value in the configuration.
    public var description: String {
        switch self {
        case .on: "on"
        case .off: "off"
        case .days(let days): "\(days)"
        }
    }
}

extension Settings {
    /// Whether events may be sent to `url`: over TLS, or to this host, and without a password.
    static func isWebhook(_ url: String) -> Bool {
        let isPlain = url.hasPrefix("http://")
        guard isPlain || url.hasPrefix("https://"), url.utf8.count <= 2000,
            url.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { return false }
        let rest = url.dropFirst(isPlain ? 7 : 8)
        let authority = rest.prefix { !"/?#".contains($0) }
        let host =
            authority.hasPrefix("[")
            ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        guard !host.isEmpty, !authority.contains("@"), !authority.contains("\\") else {
            return false
        }
        return !isPlain || ["localhost", "[::1]"].contains(host) || isLoopback(host)
    }

    /// Whether `host` is an IPv4 address of this host: 127.0.0.0/8.
    private static func isLoopback(_ host: Substring) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Whether `text` is `whsec_` and the base64 of 24 to 64 bytes.
    static func isWebhookSecret(_ text: String) -> Bool {
        let encoded = text.dropFirst("whsec_".count)
        let digits = encoded.utf8.prefix { $0 != UInt8(ascii: "=") }
        return text.hasPrefix("whsec_") && encoded.utf8.count % 4 == 0
            && (32...88).contains(encoded.utf8.count) && encoded.utf8.count - digits.count <= 2
            && encoded.utf8.dropFirst(digits.count).allSatisfy { $0 == UInt8(ascii: "=") }
            && digits.allSatisfy(isBase64)
    }

    private static func isBase64(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}

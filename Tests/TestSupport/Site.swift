import Foundation

/// The whole chain of one test: curl → nginx → responder → PostgreSQL.
public final class Site {
    /// The database, empty at first.
    public let database: Database

    /// The responder; tests may stop it and start another.
    public let responder: Responder

    /// The web server.
    public let nginx: Nginx

    /// Starts all three; `stop` must follow.
    ///
    /// `nginxFiles` are those of `nginx/optional` that are to be among the snippets.
    public init(
        _ environment: [String: String] = [:], database: Database? = nil, nginxFiles: [String] = []
    ) throws {
        let database = try database ?? Database()
        self.database = database
        responder = try Responder(databaseURL: database.url, environment: environment)
        nginx = try Nginx(responderPath: responder.socketPath, optionalFiles: nginxFiles)
    }

    /// Stops what is left of them.
    public func stop() {
        nginx.stop()
        responder.stop()
    }

    /// What curl got.
    public struct Answer: Sendable {
        /// curl's exit status; 0 only for a complete response.
        public let curlStatus: Int32
        /// The HTTP status.
        public let status: Int
        /// The header fields, names in lower case.
        public let fields: [String: String]
        /// The body.
        public let body: String
    }

    /// The arguments that make curl ask for `path` here.
    public func curlArguments(_ path: String) -> [String] {
        ["-sS", "--max-time", "60", "--unix-socket", nginx.socketPath, "http://localhost\(path)"]
    }

    /// Asks for `path` with curl.
    public func curl(_ path: String, _ options: [String] = []) throws -> Answer {
        let outcome = try Program.run(
            "/usr/bin/curl", ["--include"] + options + curlArguments(path))
        return Answer(curlStatus: outcome.status, text: outcome.output)
    }

    /// The seconds that a 200 for `path` took; nil for any other status.
    public func seconds(_ path: String) throws -> Double? {
        let words = try Program.run(
            "/usr/bin/curl",
            ["-o", "/dev/null", "-w", "%{http_code} %{time_total}"] + curlArguments(path)
        ).output.split(separator: " ")
        return words.first == "200" ? words.last.flatMap { Double($0) } : nil
    }

    /// Starts curl for `path`, the body going to `output`.
    public func startCurl(
        _ path: String, output: String = "/dev/null", options: [String] = []
    ) throws -> Program {
        try Program("/usr/bin/curl", options + ["-o", output] + curlArguments(path))
    }

    /// How many queries that contain `text` run in the database for the responder.
    public func runningQueries(_ text: String = "COPY") throws -> Int {
        Int(
            try database.value(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE state = 'active' AND application_name = 'orbital-fcgi'
                  AND datname = current_database() AND query LIKE '%\(text)%'
                """) ?? "") ?? 0
    }
}

extension Site.Answer {
    /// Takes apart what `curl --include` printed.
    public init(curlStatus: Int32, text: String) {
        let end = text.range(of: "\r\n\r\n")
        let head = (end.map { text[..<$0.lowerBound] } ?? text[...]).components(separatedBy: "\r\n")
        let pairs = head.dropFirst().compactMap { line -> (String, String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            return (line[..<colon].lowercased(), value)
        }
        self.init(
            curlStatus: curlStatus,
            status: Int(head.first?.split(separator: " ").dropFirst().first ?? "") ?? 0,
            fields: Dictionary(pairs) { "\($0), \($1)" },
            body: end.map { String(text[$0.upperBound...]) } ?? "")
    }
}

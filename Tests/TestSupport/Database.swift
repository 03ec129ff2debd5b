import Foundation
public import Postgres
public import UsageStore

/// A database of one test's own, with the schema and nothing in it; it goes with the server.
public final class Database {
    /// Its connection URI.
    public let url: String

    /// A connection to it, for the test itself.
    public let connection: Connection

    /// Copies the migrated template, or with `isMigrated` false an empty one.
    public init(isMigrated: Bool = true) throws {
        let name = "test_\(UInt64.random(in: 0 ... .max))"
        let template = isMigrated ? "migrated" : "template1"
        try Cluster.shared.connection("orbital").run("CREATE DATABASE \(name) TEMPLATE \(template)")
        url = Cluster.shared.url(name)
        connection = Cluster.shared.connection(name)
    }

    /// Shares a database that another object made.
    public init(sharing url: String) throws {
        self.url = url
        connection = try Connection(url: url, applicationName: "tests", waitSeconds: 120)
    }

    /// Locks the records against everyone, reading included, until `run("ROLLBACK")` on the result.
    ///
    /// A connection of its own: inside a transaction, `pg_stat_activity` does not change.
    public func lockRecords() throws -> Connection {
        let lock = try Connection(url: url, applicationName: "lock", waitSeconds: 60)
        try lock.run("BEGIN; LOCK TABLE usage_record IN ACCESS EXCLUSIVE MODE")
        return lock
    }

    /// A store on it.
    public func store(waitSeconds: Int = 20) -> UsageStore {
        UsageStore(databaseURL: url, applicationName: "tests", waitSeconds: waitSeconds)
    }

    /// Makes an API key; `bounds` are options.
    public func key(
        _ scopes: [String] = ["usage:read", "usage:write"], bounds: [String] = []
    ) throws -> String {
        let made = try Program.run(
            Repository.program("orbitalctl"),
            ["keys", "create", "test"] + scopes.flatMap { ["--scope", $0] } + bounds,
            environment: ["DATABASE_URL": url])
        precondition(made.status == 0, made.errors)
        return made.output.trimmingCharacters(in: .newlines)
    }

    /// Runs SQL.
    public func run(_ script: String) throws { try connection.run(script) }

    /// The first value of the first row, as text.
    public func value(_ query: String) throws -> String? {
        let result = try connection.query(query)
        return result.count > 0 ? result[0, 0] : nil
    }

    /// Adds the two records of the contract's example.
    public func addContractRecords() throws {
        try run(
            """
            INSERT INTO usage_record (message_id, "timestamp", report_name, message_text) VALUES
            (1, '2024-01-15T14:30:00Z', 'Contract Analysis', repeat('x', 156)),
            (2, '2024-01-15T15:45:00Z', NULL, repeat('x', 82))
            """)
    }

    /// Adds records with texts of 20 to 219 characters, priced, every third with a report name.
    public func addRecords(_ count: Int) throws {
        try run(
            """
            INSERT INTO usage_record
                ("timestamp", report_name, message_text, credit_rate_id, credit_hundredths)
            SELECT '2024-01-01'::timestamptz + n * interval '31 seconds',
                   CASE WHEN n % 3 = 0 THEN 'Report ' || n % 1000 END,
                   repeat('x', 20 + n % 200), 1, usage_credits(20 + n % 200, NULL, 'characters', 4000, 100)
            FROM generate_series(1, \(count)) AS n
            """)
        try run("VACUUM (ANALYZE) usage_record")
    }

    /// Adds records with any timestamp, credits and rate, as replication does.
    ///
    /// The rows are of message_id, timestamp, message_text, credit_hundredths and credit_rate_id.
    public func replicate(_ rows: String) throws {
        try run(
            """
            SET session_replication_role = replica;
            INSERT INTO usage_record
                (message_id, "timestamp", message_text, credit_hundredths, credit_rate_id)
            VALUES \(rows);
            RESET session_replication_role
            """)
    }

    /// Runs `psql` as a person would; what it prints.
    public func psql(_ command: String) throws -> String {
        let outcome = try Program.run("/usr/bin/psql", ["-XqAt", url, "-c", command])
        precondition(outcome.status == 0, outcome.errors)
        return outcome.output.trimmingCharacters(in: .newlines)
    }
}

/// SQL that adds rates with one price for tokens of every kind.
///
/// The rows are of effective_from, tokenizer, hundredths per 100 tokens, and minimum_hundredths.
public func insertRates(_ rows: String) -> String {
    """
    INSERT INTO credit_rate (effective_from, tokenizer, input_price, output_price,
        cache_read_price, cache_creation_price, minimum_hundredths)
    SELECT start::timestamptz, tokenizer, price, price, price, price, minimum
    FROM (VALUES \(rows)) AS rate(start, tokenizer, hundredths, minimum),
        LATERAL (SELECT hundredths * 10000::bigint AS price) AS prices
    """
}

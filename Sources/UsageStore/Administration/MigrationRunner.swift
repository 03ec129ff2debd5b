import Postgres
import Threads

/// Applies and reverts migrations, compatible with dbmate.
///
/// dbmate's table `schema_migrations` lists the applied ones. Checksums are in another table:
/// a file that was changed after it was applied is refused.
public final class MigrationRunner {
    private let connection: Connection

    /// A migration and its state.
    public struct State: Sendable {
        /// The file.
        public let migration: Migration
        /// Whether it is applied.
        public let isApplied: Bool
        /// Whether the file differs from the one that was applied.
        public let isChanged: Bool
    }

    /// The advisory lock of runners: "orbital" on a phone keypad.
    private static let lockKey = "6724825"

    /// Connects, and waits up to a minute for another runner to finish.
    public init(databaseURL: String) throws {
        connection = try reportingUnavailability {
            try Connection(
                url: databaseURL, applicationName: "orbitalctl migrate", waitSeconds: 3600)
        }
        try connection.run("SET client_min_messages = warning")
        try waitForOthers()
        do {
            try connection.run(Self.ownTables)
        } catch let error as PostgresError where error.state == PostgresError.notPermitted {
            throw AdministrationFault("\(error.message) (\(error.state))\n\(Self.privilegesRemedy)")
        }
    }

    /// Asks again and again: one that waits in pg_advisory_lock() holds a snapshot, for which CREATE
    /// INDEX CONCURRENTLY of the other runner would wait.
    private func waitForOthers() throws {
        let end = ContinuousClock.now + .seconds(60)
        while try connection.query("SELECT pg_try_advisory_lock(\(Self.lockKey))")[0, 0] != "t" {
            guard .now < end else {
                throw AdministrationFault(
                    "another `orbitalctl migrate` has been running for a minute")
            }
            pause(for: .milliseconds(100))
        }
    }

    private static let ownTables = """
        CREATE TABLE IF NOT EXISTS schema_migrations (version varchar(128) PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS schema_migration_checksum (
            version varchar(128) CONSTRAINT schema_migration_checksum_pkey PRIMARY KEY,
            sha256 text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """

    private static let privilegesRemedy =
        "remedy: run this as the owner of the database and its tables (sudo -u orbital-usage "
        + "orbitalctl migrate up), or as a superuser: ALTER DATABASE … OWNER TO …; "
        + "GRANT CREATE ON SCHEMA public TO …"

    /// The state of each migration, in order.
    public func states(of migrations: [Migration]) throws -> [State] {
        try migrations.map { migration in
            let row = try connection.query(
                """
                SELECT EXISTS (SELECT FROM schema_migrations WHERE version = $1),
                       (SELECT sha256 <> encode(sha256(convert_to($2, 'UTF8')), 'hex')
                        FROM schema_migration_checksum WHERE version = $1)
                """, [migration.version, migration.text])
            return State(
                migration: migration, isApplied: row[0, 0] == "t", isChanged: row[0, 1] == "t")
        }
    }

    /// The applied versions that none of `migrations` has.
    public func unknownVersions(_ migrations: [Migration]) throws -> [String] {
        let known = Set(migrations.map(\.version))
        let applied = try connection.query("SELECT version FROM schema_migrations ORDER BY version")
        return (0..<applied.count).compactMap { applied[$0, 0] }.filter { !known.contains($0) }
    }

    /// Applies pending migrations in order, and returns their number; calls `begins` before each.
    public func up(_ migrations: [Migration], begins: (Migration) -> Void) throws -> Int {
        let states = try states(of: migrations)
        if let changed = states.first(where: { $0.isApplied && $0.isChanged }) {
            throw AdministrationFault(
                "\(changed.migration.fileName) was changed after it was applied; "
                    + "restore it, and create a new migration for the change")
        }
        for state in states where state.isApplied {
            try storeChecksum(of: state.migration, onConflict: "DO NOTHING")
        }
        let pending = states.filter { !$0.isApplied }.map(\.migration)
        for migration in pending {
            begins(migration)
            try run(migration.up, of: migration) {
                try connection.query(
                    "INSERT INTO schema_migrations (version) VALUES ($1)", [migration.version])
                // A checksum may be left from before dbmate reverted the migration.
                try storeChecksum(
                    of: migration, onConflict: "(version) DO UPDATE SET sha256 = EXCLUDED.sha256")
            }
        }
        return pending.count
    }

    /// Calls `body` with the progress of migrations that take long, such as `summing the records of
    /// 2024-05 in UTC`.
    public func onProgress(_ body: @escaping (String) -> Void) { connection.onInformation = body }

    /// Reverts the last applied migration; nil if none is applied.
    public func down(_ migrations: [Migration]) throws -> Migration? {
        let newest = try connection.query("SELECT max(version) FROM schema_migrations")[0, 0]
        guard let newest else { return nil }
        guard let migration = migrations.first(where: { $0.version == newest }) else {
            throw AdministrationFault("the file of the applied migration \(newest) is missing")
        }
        guard let down = migration.down else {
            throw AdministrationFault("\(migration.fileName) has no \"-- migrate:down\" section")
        }
        try run(down, of: migration) {
            for table in ["schema_migrations", "schema_migration_checksum"] {
                try connection.query("DELETE FROM \(table) WHERE version = $1", [newest])
            }
        }
        return migration
    }

    /// How often a migration is tried that gives up if it has to wait for a lock.
    private static let attemptLimit = 600

    private func run(
        _ script: Migration.Script, of migration: Migration, recording: () throws -> Void
    ) throws {
        do {
            for attempt in 1... {
                do {
                    return try runOnce(script, recording)
                } catch let error as PostgresError
                    where error.state == PostgresError.lockNotAvailable
                    && attempt < Self.attemptLimit
                {
                    // Meanwhile, those that waited behind this migration get the lock.
                    pause(for: .milliseconds(500))
                }
            }
        } catch let error as PostgresError {
            let remedy =
                error.state == PostgresError.notPermitted ? "\n\(Self.privilegesRemedy)" : ""
            throw AdministrationFault(
                "\(migration.fileName): \(error.message) (\(error.state))\(remedy)")
        }
    }

    private func runOnce(_ script: Migration.Script, _ recording: () throws -> Void) throws {
        guard script.usesTransaction else {
            try dropInvalidIndexes()
            try connection.run(script.statements)
            return try connection.transaction { try recording() }
        }
        try connection.transaction {
            try connection.run(script.statements)
            try recording()
        }
    }

    /// Drops what an interrupted CREATE INDEX CONCURRENTLY has left.
    private func dropInvalidIndexes() throws {
        let invalid = try connection.query(
            """
            SELECT format('DROP INDEX CONCURRENTLY %s', indexrelid::regclass) FROM pg_index
            WHERE NOT indisvalid AND indrelid = to_regclass('usage_record')
            """)
        for row in 0..<invalid.count { try connection.run(invalid[row, 0] ?? "") }
    }

    /// Stores the checksum of a migration; for one that dbmate applied, that of the current file.
    private func storeChecksum(of migration: Migration, onConflict action: String) throws {
        try connection.query(
            """
            INSERT INTO schema_migration_checksum (version, sha256)
            VALUES ($1, encode(sha256(convert_to($2, 'UTF8')), 'hex'))
            ON CONFLICT \(action)
            """, [migration.version, migration.text])
    }
}

import Foundation
import Postgres
import TestSupport
import Testing

/// Separate servers for these tests, which crash them.
@Suite(.timeLimit(.minutes(2))) struct `A revision that was read` {
    private let insert =
        "INSERT INTO usage_record (\"timestamp\", message_text) VALUES (now(), 'x')"

    private func cluster(_ words: String...) throws -> String {
        let outcome = try Program.run(Repository.path("Tests/dev/cluster"), words)
        #expect(outcome.status == 0, "\(outcome.errors)")
        return outcome.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Kills the server, which loses everything that is only in its memory.
    private func crash(_ folder: String) throws {
        let file = URL(fileURLWithPath: folder + "/data/postmaster.pid")
        let line = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").first
        let pid = try #require(line.flatMap { Int32($0) })
        kill(pid, SIGQUIT)
        #expect(eventually { !FileManager.default.fileExists(atPath: file.path) })
    }

    /// Changes of the revision with asynchronous commit.
    private static let changes = [
        "SET synchronous_commit = off; #", "BEGIN; #; SET LOCAL synchronous_commit = off; COMMIT",
        "SET synchronous_commit = off; SET session_replication_role = replica; INSERT INTO usage_record (\"timestamp\", message_text, credit_hundredths) VALUES (now(), 'x', 1)",
        "SET synchronous_commit = off; UPDATE usage_revision SET changes = changes + 1 WHERE shard = 3",
        "SET synchronous_commit = off; TRUNCATE usage_record; UPDATE credit_rate SET minimum_hundredths = 1",
    ]

    @Test
    func `is not used again for other records after a crash, however its transaction commits`()
        throws
    {
        let folder = TemporaryFolder.shared.file("crash").path
        // Only a commit that waits for the WAL writes it.
        let settings = ["wal_writer_delay=10s", "wal_writer_flush_after=1GB", "autovacuum=off"]
        func start() throws {
            _ = try cluster("start", folder, settings[0], settings[1], settings[2])
        }
        try start()
        defer { _ = try? cluster("stop", folder) }
        let url = try cluster("url", folder)
        let migrated = try Program.run(
            Repository.program("orbitalctl"), ["migrate", "up"], environment: ["DATABASE_URL": url])
        #expect(migrated.status == 0, "\(migrated.errors)")
        for change in Self.changes {
            let database = try Database(sharing: url)
            try database.run("CHECKPOINT")
            let writer = try Connection(url: url, applicationName: "writer", waitSeconds: 60)
            try writer.run(change.replacing("#", with: insert))
            let read = try database.value("SELECT usage_revision()")
            try crash(folder)
            try start()
            #expect(
                try Database(sharing: url).value("SELECT usage_revision()") == read, "\(change)")
        }
    }

    @Test func `is left as it commits where that is local or waits for a standby`() throws {
        let database = try Database()
        for setting in ["on", "local", "remote_write", "remote_apply"] {
            try database.run("BEGIN; SET LOCAL synchronous_commit = \(setting); \(insert)")
            try database.run("SET CONSTRAINTS ALL IMMEDIATE")
            #expect(try database.value("SHOW synchronous_commit") == setting)
            try database.run("COMMIT")
        }
    }
}

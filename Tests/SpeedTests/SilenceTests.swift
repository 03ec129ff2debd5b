import Foundation
import Postgres
import TestSupport
import Testing

/// What a server does that is frozen, as on a disk or a host that stands still.
@Suite(.timeLimit(.minutes(5))) struct `A silent PostgreSQL` {
    private static let batch = ["-d", #"[{"message_text":"x"},{"message_text":"y"}]"#]

    /// All requests that need the database, in a process whose workers can all be held by it.
    @Test(arguments: [
        ("keyed", "/usage", []),
        ("open", "/usage/estimate", ["-d", #"{"message_text":"x"}"#]),
        ("open", "/usage", batch),
    ])
    func `leaves workers for health/live`(access: String, path: String, body: [String]) throws {
        let cluster = try FreezableCluster()
        defer { cluster.stop() }
        let site = try Site(["ACCESS": access], database: Database(sharing: cluster.url))
        defer { site.stop() }
        func options(_ key: String, _ body: [String]) -> [String] {
            [
                "-w", "%{http_code}", "-H", "Authorization: Bearer \(key)", "-H",
                "Content-Type: application/json",
            ] + body
        }
        let writer = options(try site.database.key(), Self.batch)
        // No worker has looked this one up yet.
        let client = options(try site.database.key(), body)
        try useAllPermits(site) {
            try (1...16).map { _ in try site.startCurl("/usage", options: writer) }
        }
        cluster.freeze()
        defer { cluster.thaw() }
        let waiting = try (1...40).map { _ in try site.startCurl(path, options: client) }
        #expect(eventually(seconds: 8) { waiting.contains { $0.output == "503" } })
        // Others go on asking meanwhile.
        let asking = try Program(
            "/bin/sh",
            ["-c", "while :; do curl \"$@\" -o /dev/null; done", "sh"] + client
                + site.curlArguments(path))
        defer { asking.stop() }
        let times = try (1...40).map { _ in try #require(try site.seconds("/health/live")) }
            .sorted()
        print("measured: health/live while PostgreSQL is silent = \(times[20]) s, \(times[39]) s")
        #expect(times[20] < 0.1 && times[39] < 1, "\(times)")
        cluster.thaw()
        #expect(waiting.map { $0.wait() }.allSatisfy { $0 == 0 })
        let answers = Set(waiting.map(\.output))
        #expect(answers.count == 2 && answers.contains("503"), "\(answers)")
        #expect(try site.curl(path, client).status < 500)
    }

    /// Holds `start`ed batches until each of 14 permits has one, and with it a connection.
    private func useAllPermits(_ site: Site, _ start: () throws -> [Program]) throws {
        let lock = try site.database.lockRecords()
        let batches = try start()
        let connected = try eventually(seconds: 10) {
            try site.database.value(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'orbital-fcgi'")
                == "14"
        }
        #expect(connected)
        try lock.run("ROLLBACK")
        for batch in batches { batch.wait() }
    }
}

@Suite(.timeLimit(.minutes(2))) struct `A busy PostgreSQL` {
    @Test func `records every batch of clients that retry, however many wait for it`()
        throws
    {
        let site = try Site()
        defer { site.stop() }
        let key = try site.database.key()
        try site.database.run(
            """
            CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$;
            CREATE TRIGGER slow AFTER INSERT ON usage_record EXECUTE FUNCTION be_slow()
            """)
        let batches = try (1...32).map { _ in
            try site.startCurl(
                "/usage", output: TemporaryFolder.shared.file("body").path,
                options: [
                    "--retry", "20", "-w", "%{http_code}", "-H", "Authorization: Bearer \(key)",
                    "-H", "Content-Type: application/json", "-d",
                    #"[{"message_text":"x"},{"message_text":"y"}]"#,
                ])
        }
        #expect(batches.map { $0.wait() }.allSatisfy { $0 == 0 })
        #expect(Set(batches.map(\.output)) == ["200"])
        #expect(try site.database.value("SELECT count(*) FROM usage_record") == "64")
    }

    @Test func `handles short requests while full reads hold all permits that they may`() throws {
        let site = try Site(["ACCESS": "keyed"])
        defer { site.stop() }
        let key = ["-H", "Authorization: Bearer \(try site.database.key())"]
        let lock = try site.database.lockRecords()
        let reads = try (1...7).map { _ in
            try site.startCurl("/usage", options: ["-w", "%{http_code}"] + key)
        }
        #expect(
            try eventually {
                try site.database.value(
                    """
                    SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                    AND datname = current_database() AND application_name = 'orbital-fcgi'
                    AND now() - query_start > '6 s'
                    """) == "7"
            })
        for _ in 1...20 {
            #expect(try site.curl("/health").status == 200)
            // Its key is looked up before it is refused.
            #expect(try site.curl("/usage?limit=x", key).status == 400)
        }
        try lock.run("ROLLBACK")
        #expect(reads.map { $0.wait() }.allSatisfy { $0 == 0 })
        #expect(Set(reads.map(\.output)) == ["200"])
    }
}

/// A PostgreSQL of one test's own, all of whose processes can be stopped and let go on.
final class FreezableCluster {
    let url: String
    private let folder = TemporaryFolder.shared.file("silent").path
    private static let script = Repository.path("Tests/dev/cluster")

    init() throws {
        let started = try Program.run(Self.script, ["start", folder, "fsync=off"])
        #expect(started.status == 0, "\(started.errors)")
        url = try Program.run(Self.script, ["url", folder]).output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let migrated = try Program.run(
            Repository.program("orbitalctl"), ["migrate", "up"],
            environment: ["DATABASE_URL": url])
        #expect(migrated.status == 0, "\(migrated.errors)")
    }

    func stop() { _ = try? Program.run(Self.script, ["stop", folder]) }

    func freeze() { signal("STOP") }

    func thaw() { signal("CONT") }

    /// The postmaster comes first, so that it has no more children than those that follow.
    private func signal(_ name: String) {
        _ = try? Program.run(
            "/bin/sh",
            [
                "-c",
                #"read -r parent <"$0/data/postmaster.pid"; kill -"$1" "$parent"; pkill -"$1" -P "$parent""#,
                folder, name,
            ])
    }
}

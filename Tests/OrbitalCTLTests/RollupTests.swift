import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct `orbitalctl rollup` {
    private func run(_ words: [String], _ database: Database) throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"), words, environment: ["DATABASE_URL": database.url])
    }

    private func printed(_ words: String, _ database: Database) throws -> String {
        let outcome = try run(words.components(separatedBy: " "), database)
        return outcome.output + outcome.errors + "\(outcome.status)"
    }

    private func rollups(_ database: Database) throws -> [Substring] {
        let lines = try run(["check"], database).output.split(separator: "\n")
        guard let index = lines.firstIndex(where: { $0.contains("rollups: ") }) else { return [] }
        return lines[index...].prefix { $0.contains("rollups: ") || $0.hasPrefix("       ") }
            .map { $0 }
    }

    @Test func `merges, rebuilds, and shows the state`() throws {
        let database = try Database()
        #expect(
            try printed("rollup status", database).hasPrefix(
                "complete\nwaiting: 0 deltas\nmerged at: "))
        try database.addRecords(100)
        let status = try printed("rollup status --json", database)
        #expect(status.hasPrefix(#"{"complete":true,"waiting_deltas":"#), "\(status)")
        #expect(
            status.hasSuffix(#","zones":[{"zone":"UTC","complete":true}]}"# + "\n0"), "\(status)")
        let count = try database.value("SELECT count(*) FROM usage_delta") ?? ""
        #expect(try printed("rollup merge", database) == "merged \(count) deltas\n0")
        #expect(try printed("rollup merge", database) == "merged 0 deltas\n0")
        #expect(try rollups(database) == ["ok     rollups: in UTC, with 0 deltas to merge"])
        #expect(try printed("rollup rebuild", database) == "summed the records of 1 month\n0")
        try database.run("UPDATE usage_rollup_state SET is_built = false")
        #expect(
            try printed("rollup status", database).hasPrefix(
                "not complete; run: orbitalctl rollup rebuild\n"))
        #expect(try run(["rollup", "status"], database).status == 1)
        #expect(
            try rollups(database) == [
                "FAULT  rollups: they are not complete, so sums read the records",
                "       remedy: orbitalctl rollup rebuild",
            ])
        try database.run("UPDATE usage_rollup_state SET is_built = true")
        try database.run("UPDATE usage_zone SET is_built = false")
        #expect(
            try rollups(database).first
                == "FAULT  rollups: the sums in UTC are not complete, so sums read the records")
        let old = try Database(isMigrated: false)
        #expect(try run(["rollup", "status"], old).status == 69)
    }

    @Test func `are built by migrate up, which shows each month`() throws {
        let database = try Database(isMigrated: false)
        let folder = TemporaryFolder.shared.file("migrations").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let files = try FileManager.default.contentsOfDirectory(
            atPath: Repository.path("Migrations")
        ).filter { $0.hasSuffix(".sql") }.sorted()
        func migrate(_ files: [String]) throws -> Program.Outcome {
            for file in files {
                try FileManager.default.copyItem(
                    atPath: Repository.path("Migrations/\(file)"), toPath: "\(folder)/\(file)")
            }
            return try run(["migrate", "up", "--migrations", folder], database)
        }
        #expect(try migrate(files.filter { $0 < "0027" }).status == 0)
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", message_text)
            SELECT '2024-01-31T20:00Z'::timestamptz + n * interval '1 hour', 'x' FROM generate_series(1, 9) AS n
            """)
        let outcome = try migrate(files.filter { $0 >= "0027" })
        #expect(outcome.status == 0)
        #expect(
            outcome.errors == """
                orbitalctl: summing the records of 2024-01 in UTC
                orbitalctl: summing the records of 2024-02 in UTC

                """)
        #expect(try database.value("SELECT sum(messages) FROM usage_quarter_sum") == "9")
        #expect(try printed("verify", database).contains(": 0 differences"))
    }

    @Test func `adds, lists and removes reporting zones, but not the last one`() throws {
        let database = try Database()
        try database.addRecords(3000)
        #expect(try run(["rollup", "merge"], database).status == 0)
        #expect(
            try printed("rollup zones add europe/london", database)
                == "added Europe/London, and summed the records of 1 month\n0")
        #expect(
            try printed("rollup zones add Europe/London", database)
                == "Europe/London is a reporting zone already\n0")
        #expect(
            try printed("rollup zones add Mars/Olympus", database)
                == "orbitalctl: Mars/Olympus is no time zone; use a name such as Europe/London\n65")
        #expect(try printed("rollup zones list", database) == "Europe/London\nUTC\n0")
        #expect(
            try printed("rollup zones list --json", database)
                == #"[{"zone":"Europe/London","complete":true},{"zone":"UTC","complete":true}]"#
                + "\n0")
        #expect(try printed("verify", database).contains(": 0 differences"))
        #expect(try printed("rollup zones remove UTC", database) == "removed UTC\n0")
        #expect(
            try printed("rollup zones remove UTC", database)
                == "orbitalctl: UTC is not a reporting zone\n65")
        #expect(
            try printed("rollup zones remove Europe/London", database)
                == "orbitalctl: Europe/London is the last reporting zone: it stays\n65")
        #expect(try printed("verify", database).contains(": 0 differences"))
        #expect(
            try database.value("SELECT count(DISTINCT zone_id) FROM usage_bucket") == "1")
    }

    @Test func `verify names each level, bucket, group and sum that differs from the records`()
        throws
    {
        let database = try Database()
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", report_name, attribution_id, message_text)
            SELECT '2024-01-31T22:07Z', 'r', usage_attribution('u', NULL, NULL, '{"env":"prod"}'), 'x'
            """)
        #expect(try printed("rollup merge", database) == "merged 1 delta\n0")
        try database.run(
            """
            UPDATE usage_quarter_sum SET messages = 2, credit_hundredths = 99;
            UPDATE usage_attribution_sum SET input_tokens = 7 WHERE bucket_id =
                (SELECT bucket_id FROM usage_bucket WHERE unit = 'month');
            UPDATE usage_attribution_year_sum SET messages = 3;
            DELETE FROM usage_value_sum WHERE value_id =
                (SELECT value_id FROM usage_value WHERE part = 'tag:env');
            UPDATE usage_value SET value = 'other' WHERE part = 'report_name'
            """)
        let outcome = try run(["verify"], database)
        #expect(outcome.status == 1)
        let sums =
            "messages 0, expected 1; reports 0, expected 1; credit_hundredths 0, expected 100"
        let others =
            "messages 1, expected 0; reports 1, expected 0; credit_hundredths 100, expected 0"
        let day = "the rollup of the day 2024-01-31T00:00:00Z (UTC)"
        let month = "the rollup of the month 2024-01-01T00:00:00Z (UTC)"
        for line in [
            "the rollup of the quarter 2024-01-31T22:00:00Z: messages 2, expected 1; "
                + "credit_hundredths 99, expected 100",
            "\(month), attribution 1: input_tokens 7, expected 0",
            "the rollup of the year 2024-01-01T00:00:00Z (UTC), attribution 1: messages 3, expected 1; "
                + "input_tokens 0, expected 7",
            "\(day), tag:env prod: \(sums)", "\(month), tag:env prod: \(sums)",
            "\(day), report_name other: \(others)", "\(month), report_name other: \(others)",
            "\(day), report_name r: \(sums)", "\(month), report_name r: \(sums)",
        ] {
            #expect(outcome.output.contains("\(line)\n"), "\(line)\n\(outcome.output)")
        }
        #expect(outcome.errors.contains("remedy: orbitalctl rollup rebuild"))
        #expect(try printed("rollup rebuild", database) == "summed the records of 1 month\n0")
        #expect(try printed("verify", database).contains(": 0 differences"))
    }

    @Test func `rebuild corrects the sums after a restore of data only`() throws {
        let original = try Database()
        try original.addRecords(1000)
        try original.run(
            "UPDATE usage_record SET attribution_id = usage_attribution('u', '', '', '{}')")
        try original.run("SELECT merge_usage_deltas(500)")
        let copy = try Database()
        let file = TemporaryFolder.shared.file("dump").path
        let dumped = try Program.run(
            "/usr/bin/pg_dump",
            [
                "-Fc", "--data-only", "-t", "usage_*", "-T", "usage_revision", "-f", file,
                original.url,
            ])
        #expect(dumped.status == 0, "\(dumped.errors)")
        func restore(_ options: [String]) throws {
            try copy.run(
                """
                TRUNCATE usage_record, usage_attribution;
                TRUNCATE usage_value, usage_bucket, usage_zone, usage_rollup_state, budget, budget_event
                """)
            let restored = try Program.run(
                "/usr/bin/pg_restore", ["--data-only", "-d", copy.url] + options + [file])
            #expect(restored.status == 0, "\(restored.errors)")
        }
        // Levels and deltas are restored, and the triggers add more.
        try restore([])
        #expect(
            try rollups(copy).first?.hasPrefix("FAULT  rollups: they have 2000 messages") == true)
        #expect(try run(["verify"], copy).status == 1)
        #expect(try run(["rollup", "rebuild"], copy).status == 0)
        #expect(try printed("verify", copy).contains(": 0 differences"))
        // pg_restore enables the triggers afterwards, but not always.
        try restore(["--disable-triggers"])
        let ill = try run(["check"], copy).output
        #expect(ill.contains("usage_record_rollup_insert"))
        #expect(ill.contains("as in Migrations/, then: orbitalctl rollup rebuild\n"))
    }
}

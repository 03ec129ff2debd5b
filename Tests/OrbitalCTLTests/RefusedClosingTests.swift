import Foundation
import Postgres
import TestSupport
import Testing

/// Where `orbitalctl close` stops, and leaves records and archives.
@Suite(.timeLimit(.minutes(5))) struct `A refused closing` {
    private let books: Books
    private let line: String

    init() throws {
        books = try Books()
        line = books.line
    }

    @Test func `has a line that it could not keep exact, or an archive that it would replace`()
        throws
    {
        func expect(_ outcome: Program.Outcome, _ status: Int32, _ words: String) {
            #expect(outcome.status == status)
            #expect(outcome.errors.contains(words), "\(outcome.errors)")
        }
        expect(try books.close("2025-01-15T05:46:00Z"), 64, "on a quarter of an hour")
        expect(try books.close("yesterday"), 64, "on a quarter of an hour")
        expect(try books.close("2099-01-01"), 65, "2099-01-01T00:00:00Z is in the future")
        expect(
            try books.orbitalctl(["close", "--before", line, "--archive", "\(books.folder)/none"]),
            73,
            "cannot write \(books.folder)/none/usage-before-2025-01-15T054500Z.ndjson.gz: No such file"
        )
        expect(
            try books.orbitalctl(["close", "--before", line, "--archive", "/proc"]), 73,
            "cannot write /proc/usage-before-")
        expect(
            try books.close("1999-12-31T23:45:00Z"), 65,
            "1999-12-31T23:45:00Z is before 2000: no record has such a time")
        expect(
            try books.close("1999-01-01", ["--dry-run"]), 65,
            "1999-01-01T00:00:00Z is before 2000: no record has such a time")
        let name = "\(books.folder)/usage-before-2025-01-01.manifest.json"
        try "{}".write(toFile: name, atomically: true, encoding: .utf8)
        expect(try books.close("2025-01-01"), 73, "exists, and is not of this closing")
        #expect(try FileManager.default.contentsOfDirectory(atPath: books.folder).count == 1)
        try books.database.run("UPDATE usage_zone SET is_built = false WHERE name = 'UTC'")
        expect(try books.close(), 65, "the rollups are not built; run: orbitalctl rollup rebuild")
        try books.database.run("UPDATE usage_zone SET is_built = true")
        try books.database.replicate("(9001, '1999-12-31Z', 'x', 100, 1)")
        expect(try books.close(), 65, "records are dated before 2000")
        #expect(try books.database.value("SELECT count(*) FROM usage_closing") == "0")
        #expect(try books.database.value("SELECT count(*) FROM usage_record") == "2001")
    }

    @Test func `leaves an archive of another database, also when it continues in its directory`()
        throws
    {
        #expect(try books.close().status == 0)
        let name = "\(books.folder)/usage-before-2025-01-15T054500Z"
        func files() throws -> [Data] {
            try ["ndjson.gz", "manifest.json"].map {
                try Data(contentsOf: URL(fileURLWithPath: "\(name).\($0)"))
            }
        }
        let before = try files()
        let other = try Books()
        for directory in ["/elsewhere", books.folder] {
            try other.database.run(
                """
                DELETE FROM usage_closing;
                INSERT INTO usage_closing (closed_before, directory)
                VALUES ('\(line)', '\(directory)')
                """)
            let refused = try other.orbitalctl([
                "close", "--before", line, "--archive", books.folder,
            ])
            #expect(refused.status == 73)
            #expect(
                refused.errors
                    == "orbitalctl: \(name).ndjson.gz or its manifest exists, and is not of this closing; name another directory\n"
            )
            #expect(try files() == before)
        }
        let moved = TemporaryFolder.shared.file("elsewhere").path
        try FileManager.default.createDirectory(atPath: moved, withIntermediateDirectories: true)
        #expect(
            try other.orbitalctl(["close", "--before", line, "--archive", moved]).status == 0)
        #expect(try other.orbitalctl(["verify"]).status == 0)
    }

    @Test func `deletes nothing if the archive is not what the rollups have`() throws {
        try books.kill(at: "LOCK TABLE credit_rate", status: "summed")
        for (change, back) in [
            ("messages = messages + 1", "messages = messages - 1"),
            (
                "credit_hundredths = credit_hundredths - 1",
                "credit_hundredths = credit_hundredths + 1"
            ),
        ] {
            func update(_ change: String) throws {
                try books.database.run(
                    "UPDATE closed_quarter_sum SET \(change) WHERE quarter = '2024-12-20T00:30Z'")
            }
            try update(change)
            let refused = try books.close()
            #expect(refused.status == 65)
            #expect(
                refused.errors.contains("orbitalctl: the archive has 1218 records, "),
                "\(refused.errors)")
            #expect(
                try books.database.psql(
                    "SELECT status, (SELECT count(*) FROM usage_record) FROM usage_closing")
                    == "summed|2000")
            try update(back)
        }
        #expect(try books.close().status == 0)
    }

    @Test func `runs alone`() throws {
        let other = try Connection(
            url: books.database.url, applicationName: "other", waitSeconds: 20)
        try other.run("SELECT pg_advisory_lock(7110416214)")
        let refused = try books.close()
        #expect(refused.status == 65)
        #expect(refused.errors == "orbitalctl: another `orbitalctl close` is running\n")
        #expect(try books.orbitalctl(["close", "status"]).output == "")
    }

    @Test func `says how to continue if the disk is full, and leaves no file`() throws {
        let full = try Program.run(
            "/bin/bash",
            [
                "-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "bash",
                Repository.program("orbitalctl"), "close", "--before", line, "--archive",
                books.folder,
            ], environment: ["DATABASE_URL": books.database.url, "CONFIG_ENV": "test"])
        #expect(full.status == 74)
        #expect(
            full.errors.hasPrefix(
                "orbitalctl: the closing is not finished, and its line is in force; run the same command again to continue\norbitalctl: cannot write \(books.folder)/usage-before-2025-01-15T054500Z.ndjson.gz: "
            ), "\(full.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: books.folder) == [])
        #expect(try books.close().status == 0)
    }
}

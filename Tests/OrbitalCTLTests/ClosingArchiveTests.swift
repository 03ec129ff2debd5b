import Foundation
import TestSupport
import Testing

/// What is left of closed records: archives and sums.
@Suite(.timeLimit(.minutes(5))) struct `A closing` {
    private let books: Books

    init() throws { books = try Books() }

    @Test func `is verified: archives, manifests and closed sums that were changed are found`()
        throws
    {
        #expect(try books.close("2025-01-01").status == 0)
        let archive = "\(books.folder)/usage-before-2025-01-01.ndjson.gz"
        let manifest = "\(books.folder)/usage-before-2025-01-01.manifest.json"
        func verify(_ more: [String] = []) throws -> [Substring] {
            try books.orbitalctl(["verify"] + more).output.split(separator: "\n")
        }
        #expect(try verify().last?.hasSuffix(": 0 differences") == true)
        let moved = TemporaryFolder.shared.file("moved").path
        try FileManager.default.moveItem(atPath: books.folder, toPath: moved)
        #expect(try verify().first == "\(archive) or its manifest is missing or not readable")
        #expect(try verify(["--archives", moved]).count == 1)
        try FileManager.default.moveItem(atPath: moved, toPath: books.folder)
        let text = try String(contentsOfFile: manifest, encoding: .utf8)
        for (old, new, words) in [
            (#""records":"#, #""records":1"#, "records is 1"),
            (#""credits_used":"#, #""credits_used":1"#, "credits_used is 1"),
            (#""sha256":"#, #""sha256":"x","old":"#, "sha256 is x"), ("{", "", "is not a manifest"),
        ] {
            try text.replacing(old, with: new).write(
                toFile: manifest, atomically: true, encoding: .utf8)
            let found = try verify()
            #expect(found.count == 2)
            #expect(found[0].contains(words), "\(found)")
        }
        try text.write(toFile: manifest, atomically: true, encoding: .utf8)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: archive))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: archive))
        #expect(try verify()[0].hasPrefix("the SHA-256 of \(archive) is "))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: archive))
        #expect(try verify().count == 1)
        let changes = [
            "UPDATE closed_quarter_sum SET messages = messages + 1 WHERE quarter = '2024-12-20T00:30Z'":
                "the closing before 2025-01-01 00:00:00+00 has 557 records",
            "DELETE FROM closed_attribution_sum WHERE bucket_id = (SELECT max(bucket_id) FROM closed_attribution_sum)":
                "closed days and months of attribution",
            "DELETE FROM closed_attribution_sum WHERE bucket_id = (SELECT min(bucket_id) FROM closed_attribution_sum)":
                "closed months and years of attribution",
            """
            UPDATE closed_attribution_sum AS sum SET reports = reports + 1 FROM usage_bucket AS b
            WHERE b.bucket_id = sum.bucket_id AND attribution_id = 3
                AND unit = 'year' AND starts_at = '2024-01-01Z'
            """:
                "the rollup of the closed year 2024-01-01T00:00:00Z (UTC): reports 186, expected 185",
            "DELETE FROM closed_value_sum USING usage_bucket AS b WHERE b.bucket_id = closed_value_sum.bucket_id AND unit = 'month'":
                "closed days and months of value",
            "UPDATE closed_quarter_sum SET reports = reports + 1 WHERE quarter = '2024-12-20T00:30Z'":
                "the rollup of the closed day 2024-12-20T00:00:00Z (UTC): reports 15, expected 16",
            // The same in days and months.
            """
            UPDATE closed_attribution_sum SET credit_hundredths = credit_hundredths + 100
            WHERE attribution_id = 3 AND bucket_id IN (SELECT bucket_id FROM usage_bucket
                WHERE starts_at IN ('2024-12-20Z', '2024-12-01Z'))
            """: "the rollup of the closed month 2024-12-01T00:00:00Z (UTC): credit_hundredths ",
            "DELETE FROM closed_value_sum USING usage_value AS v WHERE v.value_id = closed_value_sum.value_id AND v.value = 'u2'":
                "(America/New_York), user_id u2: messages 0, expected ",
            "DELETE FROM closed_value_sum USING usage_value AS v WHERE v.value_id = closed_value_sum.value_id AND v.value = 'r3'":
                "(Asia/Kathmandu), report_name: messages ",
            """
            UPDATE closed_value_sum SET cache_read_input_tokens = 99
            WHERE bucket_id = (SELECT bucket_id FROM usage_bucket JOIN usage_zone USING (zone_id)
                WHERE name = 'UTC' AND unit = 'day' AND starts_at = '2024-12-20Z')
            """:
                "the rollup of the closed day 2024-12-20T00:00:00Z (UTC), model m1: cache_read_input_tokens 99, expected 0",
            "UPDATE closed_value_sum SET output_tokens = 99 FROM usage_bucket AS b WHERE b.bucket_id = closed_value_sum.bucket_id AND unit = 'month'":
                "closed days and months of value",
            "DELETE FROM usage_bucket WHERE unit = 'month' AND starts_at = '2024-12-01Z'":
                "the rollup of the closed month that is missing (UTC): messages 0, expected ",
            "UPDATE usage_closed_id SET message_id = -1 WHERE message_id = 7":
                "\(archive) has 1 record whose ids usage_closed_id does not have",
            "UPDATE usage_closed_id SET external_digest = NULL WHERE message_id = 8":
                "\(archive) has 1 record whose ids usage_closed_id does not have",
            "DELETE FROM usage_closed_id WHERE message_id < 3":
                "usage_closed_id has 555 ids, expected 557",
        ]
        let tables = [
            "closed_quarter_sum", "closed_attribution_sum", "closed_value_sum", "usage_closed_id",
            "usage_bucket",
        ]
        for (change, words) in changes {
            let save = tables.map { "CREATE TABLE saved_\($0) AS TABLE \($0);" }.joined()
            try books.database.run("BEGIN; \(save) \(change); COMMIT")
            let found = try verify(["--limit", "1000"])
            #expect(found.contains { $0.contains(words) }, "\(change): \(found)")
            let restore = tables.map {
                "TRUNCATE \($0); INSERT INTO \($0) TABLE saved_\($0); DROP TABLE saved_\($0);"
            }.joined()
            try books.database.run("BEGIN; \(restore) COMMIT")
        }
        #expect(try verify().count == 1)
    }

    @Test func `leaves archives of an erased user as they are, and names them`() throws {
        #expect(try books.close("2025-01-01").status == 0)
        let archive = "\(books.folder)/usage-before-2025-01-01.ndjson.gz"
        let before = try books.sums()
        let erased = try books.orbitalctl(["erase", "user", "u3"])
        #expect(erased.status == 0, "\(erased.errors)")
        #expect(
            erased.output.contains("not changed: \(archive) has the user in 30 records\n"),
            "\(erased.output)")
        #expect(
            try books.database.value("SELECT count(*) FROM usage_value WHERE \"value\" = 'u3'")
                == "0")
        #expect(
            try books.sums().replacing(/erased-[0-9a-f]{12}/, with: "u3").split(separator: "\n")
                .count
                == before.split(separator: "\n").count)
        #expect(try books.orbitalctl(["verify"]).status == 0)
    }

    @Test func `with a damaged archive does not prevent the erasure of a user`() throws {
        #expect(try books.close("2025-01-01").status == 0)
        let archive = "\(books.folder)/usage-before-2025-01-01.ndjson.gz"
        let bytes = try Data(contentsOf: URL(fileURLWithPath: archive))
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: archive))
        let erased = try books.orbitalctl(["erase", "user", "u3"])
        #expect(erased.status == 0, "\(erased.errors)")
        #expect(
            erased.output.contains(
                "not searched to its end: cannot read \(archive): unexpected end of file\n"),
            "\(erased.output)")
        #expect(
            try books.database.value(
                "SELECT count(*) FROM usage_attribution WHERE user_id = 'u3'") == "0")
    }
}

import Foundation
import TestSupport
import Testing

/// A copy of attributions, external ids, reported tokens and digests.
@Suite(.timeLimit(.minutes(2))) struct `A copy of attributed records by export and import` {
    private func run(_ database: Database, _ arguments: [String]) throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"), arguments,
            environment: ["DATABASE_URL": database.url, "CONFIG_ENV": "test"])
    }

    /// All columns but the time of recording; attributions by value.
    private func records(_ database: Database) throws -> String {
        try database.psql(
            """
            SELECT to_jsonb(record) - 'recorded_at' - 'attribution_id', user_id, team_id, model, tags
            FROM usage_record AS record LEFT JOIN usage_attribution USING (attribution_id)
            ORDER BY message_id
            """)
    }

    @Test(arguments: ["ndjson", "json", "csv"])
    func `equals the original, with texts that are not stored`(format: String) throws {
        let original = try Database()
        try original.run(
            #"""
            INSERT INTO usage_record (message_id, external_id, "timestamp", message_text, attribution_id,
                input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens)
            SELECT n, 'chatcmpl "' || n || E'",\'', '2024-01-01Z'::timestamptz + n * interval '1 s',
                CASE WHEN n % 4 > 0 THEN repeat('é', n % 3) END,
                usage_attribution(CASE WHEN n % 2 = 0 THEN 'u-' || n % 5 END, CASE WHEN n % 3 = 0 THEN 't,"é' END,
                    CASE WHEN n % 7 = 0 THEN 'gpt-5' END,
                    CASE n % 5 WHEN 0 THEN '{"b":"x\"\\","a":"1,2"}' WHEN 1 THEN '{"env":"prod"}' END::jsonb),
                CASE WHEN n % 4 = 0 THEN 3 END, CASE WHEN n % 4 = 0 THEN n END, CASE WHEN n % 8 = 0 THEN 1 END,
                CASE WHEN n % 4 = 0 THEN n % 3 END
            FROM generate_series(1, 60) AS n;
            UPDATE usage_record SET external_id = NULL WHERE message_id % 6 = 0;
            UPDATE usage_record SET text_digest = substr(sha256(convert_to(message_text, 'UTF8')), 1, 16),
                message_text = NULL WHERE message_id % 4 = 1;
            UPDATE usage_record SET message_text = NULL WHERE message_id % 8 = 3 AND character_count > 0
            """#)
        let file = TemporaryFolder.shared.file("usage.\(format)").path
        let export = try run(original, ["export", "--format", format, "-o", file])
        #expect(export.errors == "exported 60 messages\n")
        let first = try exportWithoutTimes(file)
        let copy = try Database()
        let imported = try run(copy, ["import", file, "--keep-credits"])
        #expect(
            imported.output == "created 60, duplicates 0, conflicts 0, invalid 0\n",
            "\(imported.errors)")
        #expect(try records(copy) == records(original))
        #expect(try run(copy, ["export", "--format", format, "-o", file]).status == 0)
        #expect(try exportWithoutTimes(file) == first)
        #expect(try run(copy, ["import", file]).output.contains("duplicates 60,"))
        #expect(
            try copy.value("SELECT count(*) FROM usage_attribution")
                == original.value("SELECT count(*) FROM usage_attribution"))
    }

    @Test func `warns if the file with the rates of a CSV export is missing`() throws {
        let original = try Database()
        try original.addContractRecords()
        let name = TemporaryFolder.shared.file("alone").path
        let (file, rates) = ("\(name).csv", "\(name).rates.csv")
        #expect(try run(original, ["export", "--format", "csv", "-o", file]).status == 0)
        #expect(try run(Database(), ["import", file]).errors == "")
        try FileManager.default.removeItem(atPath: rates)
        let imported = try run(Database(), ["import", file])
        #expect(imported.status == 0)
        #expect(
            imported.errors == """
                orbitalctl: \(rates), the rates of this export, is missing: the price list of the database applies

                """)
        try "message_id,timestamp,message_text\n1,2024-01-01T00:00:00Z,x\n".write(
            toFile: file, atomically: true, encoding: .utf8)
        #expect(try run(Database(), ["import", file]).errors == "")
    }
}

/// An export without the times of recording, which an import sets anew.
func exportWithoutTimes(_ file: String) throws -> String {
    try String(contentsOfFile: file, encoding: .utf8)
        .replacing(/"recorded_at":"[^"]*",/, with: "")
        .replacing(/(,[0-9-]+T[0-9:.]+Z),[0-9-]+T[0-9:.]+Z/) { $0.1 }
}

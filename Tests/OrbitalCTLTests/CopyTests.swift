import Foundation
import TestSupport
import Testing

/// An installation with every kind of record and rate, and its copies.
@Suite(.timeLimit(.minutes(2))) struct `A copy by export and import` {
    private let original: Database
    private let folder: URL

    init() throws {
        original = try Database()
        folder = TemporaryFolder.shared.file("copies")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func run(
        _ database: Database, _ arguments: [String], input: String = "",
        _ environment: [String: String] = [:]
    ) throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"), arguments,
            environment: ["DATABASE_URL": database.url, "CONFIG_ENV": "test"].merging(environment) {
                $1
            }, input: input)
    }

    /// Rates by three tokenizers; records by each of them, an estimate, and own credits.
    private func fill() throws {
        try original.run(
            """
            UPDATE credit_rate SET input_price = 12500000, output_price = 12500000,
                cache_read_price = 12500000, cache_creation_price = 12500000, minimum_hundredths = 0;
            \(insertRates("('2022-01-01T00:00:00.000001Z', 'o200k_base', 1000, 1), ('2023-01-01Z', 'cl100k_base', 2000, 1), ('2024-01-01Z', 'characters', 4000, 100)"));
            INSERT INTO credit_rate (effective_from, model, tokenizer, input_price, output_price,
                cache_read_price, cache_creation_price, minimum_hundredths)
            VALUES ('2024-01-01Z', 'gpt-5*', 'characters', 150000, 600000, 15000, 187500, 1),
                ('2024-01-01Z', 'é, "quoted"', 'characters', 0, 10000000000000, 1, 2, 3)
            """)
        let messages = (1...8).map { id in
            #"{"message_id":\#(id),"timestamp":"202\#(id / 2)-06-01T00:00:00.\#(id)Z","message_text":"hello, \"world\"\r\n","report_name":"a;b,c"}"#
        }
        let own = [
            #"{"message_id":11,"timestamp":"2022-06-01T00:00:00Z","message_text":"x","credits_used":77}"#,
            #"{"message_id":12,"timestamp":"2024-06-01T00:00:00Z","message_text":"x","credits_used":1.01}"#,
        ]
        let imported = try run(
            original, ["import", "-", "--keep-credits"],
            input: (messages + own).joined(separator: "\n"))
        #expect(imported.status == 0, "\(imported.errors)")
        try original.run(
            """
            INSERT INTO usage_record (message_id, "timestamp", message_text)
            VALUES (20, '2022-07-01Z', 'plain SQL, hence an estimate');
            UPDATE usage_record SET credit_hundredths = 100 WHERE message_id = 12
            """)
    }

    /// The list, the receipts, and the columns in the database.
    private func contents(_ database: Database) throws -> [String] {
        let pages = try ["/usage", "/usage/3", "/usage/5", "/usage/11", "/usage/12", "/usage/20"]
            .map { path in
                let answer = try Program.run(
                    Repository.program("orbital-fcgi"),
                    environment: [
                        "DATABASE_URL": database.url, "REQUEST_METHOD": "GET",
                        "SCRIPT_NAME": "/cgi-bin/orbital", "PATH_INFO": path, "CONFIG_ENV": "test",
                    ]
                ).output
                let end = try #require(answer.range(of: "\r\n\r\n"), "\(answer)")
                return String(answer[end.upperBound...])
            }
        let rows = try database.psql(
            """
            SELECT to_jsonb(record) - 'recorded_at' - 'attribution_id', user_id, team_id, model, tags
            FROM usage_record AS record LEFT JOIN usage_attribution USING (attribution_id)
            ORDER BY message_id;
            SELECT effective_from, model, tokenizer, input_price, output_price, cache_read_price,
                cache_creation_price, minimum_hundredths
            FROM credit_rate ORDER BY effective_from, model NULLS FIRST
            """)
        return pages + [rows]
    }

    @Test(arguments: ["ndjson", "json", "csv"])
    func `equals the original: rates, tokens, tokenizers, estimates and own credits`(
        format: String
    ) throws {
        try fill()
        let file = folder.appendingPathComponent("usage.\(format)").path
        let export = ["export", "--format", format, "-o", file]
        #expect(try run(original, export).errors == "exported 11 messages\n")
        let first = try exportWithoutTimes(file)
        let copy = try Database()
        let imported = try run(copy, ["import", file, "--keep-credits"])
        #expect(
            imported.output == "created 11, duplicates 0, conflicts 0, invalid 0\n",
            "\(imported.errors)")
        let expected = try contents(original)
        #expect(expected[0].contains(#""message_id":20"#), "\(expected[0])")
        #expect(try contents(copy) == expected)
        #expect(
            try run(copy, ["verify"]).output.hasSuffix(
                ": 0 differences; 2 records not priced by a rate; 1 record is an estimate\n"))
        #expect(try run(copy, export).status == 0)
        #expect(try exportWithoutTimes(file) == first)
        // A second import adds nothing, even if rates were added to the copy in the meantime.
        try copy.run(
            """
            \(insertRates("(now() + interval '1 day', 'characters', 1, 1)"))
            """)
        #expect(
            try run(copy, ["import", file, "--keep-credits"]).output.contains("duplicates 11,"))
    }

    @Test func `needs no vocabulary, because an export with rates is trusted`() throws {
        try fill()
        let file = folder.appendingPathComponent("usage.ndjson").path
        #expect(try run(original, ["export", "-o", file]).status == 0)
        let nowhere = ["TOKENIZER_DIRECTORY": folder.path]
        let copy = try Database()
        let imported = try run(copy, ["import", file, "--keep-credits"], nowhere)
        #expect(imported.status == 0, "\(imported.errors)")
        #expect(try contents(copy) == contents(original))
        let line = try #require(
            try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
                .first { $0.contains("token_count") })
        let alone = try run(copy, ["import", "-"], input: String(line), nowhere)
        #expect(alone.status == 66, "\(alone.errors)")
    }

    @Test func `is refused if records have other rates, and names the first difference`()
        throws
    {
        try fill()
        let export = try run(original, ["export"]).output
        let other = try Database()
        try other.addContractRecords()
        let refused = try run(other, ["import", "-"], input: export)
        #expect(refused.status == 65)
        #expect(
            refused.errors == """
                orbitalctl: rate 1 of the file is from the beginning: 12.50 credits per 100 tokens, minimum 0.00, tokenizer characters; in the database it is from the beginning: 40.00 credits per 100 tokens, minimum 1.00, tokenizer characters. An export can be imported only into a database without records, or with the same rates

                """)
        #expect(try other.value("SELECT count(*) FROM usage_record") == "2")
        #expect(try other.value("SELECT count(*) FROM credit_rate") == "1")
    }

    @Test func `adds rates that begin after every record, as after a restore, and no others`()
        throws
    {
        let rates =
            #"{"rate":1,"tokenizer":"characters","credits_per_100_tokens":40.00,"minimum":1.00}"#
            + "\n"
            + #"{"rate":2,"effective_from":"2025-01-01T00:00:00Z","tokenizer":"characters","credits_per_100_tokens":50.00,"minimum":2.00}"#
            + "\n"
        func message(_ id: Int, _ time: String) -> String {
            #"{"message_id":\#(id),"timestamp":"\#(time)","message_text":"x"}"# + "\n"
        }
        try original.addContractRecords()
        let before = try run(original, ["import", "-"], input: message(8, "2025-06-01T00:00:00Z"))
        #expect(before.status == 0)
        let refused = try run(original, ["import", "-"], input: rates)
        #expect(refused.status == 65)
        #expect(
            refused.errors.contains(
                "rate 2 of the file, from 2025-01-01T00:00:00Z: 50.00 credits per 100 tokens, minimum 2.00, tokenizer characters, is refused: records are already priced at that time"
            ), "\(refused.errors)")
        try original.run("DELETE FROM usage_record WHERE message_id = 8")
        let added = try run(
            original, ["import", "-"], input: rates + message(8, "2025-06-01T00:00:00Z"))
        #expect(added.status == 0, "\(added.errors)")
        #expect(
            added.errors.contains(
                "new rate: from 2025-01-01T00:00:00Z: 50.00 credits per 100 tokens"),
            "\(added.errors)")
        #expect(
            try original.value("SELECT credit_hundredths FROM usage_record WHERE message_id = 8")
                == "200")
    }

    @Test func `rejects messages with a wrong token count or rate`() throws {
        try fill()
        let lines = try run(original, ["export"]).output.split(separator: "\n").map(String.init)
        let exact = try #require(lines.first { $0.contains(#""tokenizer":"o200k_base","rate""#) })
        let rejects = folder.appendingPathComponent("rejected").path
        let cases = [
            (
                #""token_count":5"#, #""token_count":6"#,
                "token_count must be 5, as counted by o200k_base."
            ),
            (#""rate":2"#, #""rate":3"#, "rate is not the one in force at timestamp"),
            (#""rate":2"#, #""rate":9"#, "rate is 9, but the file has 6 rates."),
        ]
        let copy = try Database()
        for (right, wrong, reason) in cases {
            let line = exact.replacing(right, with: wrong)
            #expect(line != exact, "\(exact)")
            let outcome = try run(
                copy, ["import", "-", "--rejects", rejects],
                input: (lines[..<6] + [line]).joined(separator: "\n"))
            #expect(outcome.status == 1, "\(outcome.errors)")
            #expect(try String(contentsOfFile: rejects, encoding: .utf8).contains(reason))
        }
    }

    @Test(arguments: [
        #"{"rate":2,"tokenizer":"characters","credits_per_100_tokens":40,"minimum":1}"#,
        #"{"rate":1,"tokenizer":"characters","credits_per_100_tokens":40.001,"minimum":1}"#,
        #"{"rate":1,"model":"x","tokenizer":"characters","credits_per_100_tokens":40,"minimum":1}"#,
        #"{"rate":1,"tokenizer":"characters","input_credits_per_million_tokens":40,"minimum":1}"#,
        #"{"rate":1,"tokenizer":"characters","credits_per_100_tokens":40,"input_credits_per_million_tokens":1,"output_credits_per_million_tokens":1,"cache_read_credits_per_million_tokens":1,"cache_creation_credits_per_million_tokens":1,"minimum":1}"#,
        #"{"rate":1,"tokenizer":"words","credits_per_100_tokens":40,"minimum":1}"#,
        #"{"rate":1,"effective_from":"2024-01-01Z","tokenizer":"characters","credits_per_100_tokens":40,"minimum":1}"#,
    ])
    func `records nothing if a rate of the file is invalid`(rate: String) throws {
        let message =
            #"{"message_id":1,"timestamp":"2024-01-01T00:00:00Z","message_text":"x"}"#
        let outcome = try run(original, ["import", "-"], input: rate + "\n" + message)
        #expect(outcome.status == 65)
        #expect(outcome.errors.hasPrefix("orbitalctl: "), "\(outcome.errors)")
        #expect(try original.value("SELECT count(*) FROM usage_record") == "0")
    }

    @Test func `has an optional byte order mark, and reports that CSV omits the rates`()
        throws
    {
        try original.addContractRecords()
        let exported = try run(original, ["export", "--format", "csv", "--bom"])
        #expect(
            exported.output.hasPrefix(
                "\u{feff}message_id,external_id,timestamp,recorded_at,report_name,user_id,team_id,model,tags,input_tokens,output_tokens,cache_read_input_tokens,cache_creation_input_tokens,corrects,reason,message_text,character_count,text_digest,credits_used,token_count,tokenizer,estimated,rate\r\n"
            ))
        #expect(exported.errors.contains("the rates are omitted"))
        #expect(try run(original, ["export", "--bom"]).status == 64)
        let copy = try Database()
        #expect(try run(copy, ["import", "-"], input: exported.output).status == 0)
    }
}

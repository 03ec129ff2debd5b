import Foundation
import TestSupport
import Testing

/// The rates of a new installation, or of one with records dated ahead.
@Suite(.timeLimit(.minutes(2))) struct `orbitalctl rates` {
    private func run(_ database: Database, _ arguments: String...) throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"), arguments,
            environment: ["DATABASE_URL": database.url, "CONFIG_ENV": "test"])
    }

    private func add(_ database: Database, inDays days: Double) throws -> Program.Outcome {
        let date = Date(timeIntervalSinceNow: days * 86_400)
        return try run(
            database, "rates", "add", "--effective-from", date.formatted(.iso8601),
            "--credits-per-100-tokens", "50")
    }

    @Test func `adds a rate although a record is dated 9998, and verify accepts that record`()
        throws
    {
        let database = try Database()
        try database.replicate(
            """
            (1, '2024-01-01Z', 'x', 100, 1), (2, now() + interval '30 days', 'x', 100, 1),
            (3, '9998-01-01Z', 'x', 100, 1), (4, '2031-01-02Z', 'x', 777, NULL)
            """)
        let added = try add(database, inDays: 0.5)
        #expect(added.status == 0, "\(added.errors)")
        #expect(
            added.output.hasSuffix(
                """
                minimum 1.00, tokenizer characters
                3 records dated more than five minutes ahead keep their credits: message_id 2, 4, 3

                """))
        // After another price, the third record still has the first price.
        #expect(try add(database, inDays: 60).status == 0)
        // A closer date, so that verify need not sum 8,000 years.
        try database.run(
            """
            SET session_replication_role = replica;
            UPDATE usage_record SET "timestamp" = '2031-01-01Z' WHERE message_id = 3;
            RESET session_replication_role
            """)
        let verified = try run(database, "verify")
        #expect(verified.output.hasSuffix(": 0 differences; 1 record not priced by a rate\n"))
        // Another record with an earlier rate is still a difference.
        try database.replicate("(5, now() + interval '31 days', 'x', 100, 1)")
        let found = try run(database, "verify")
        #expect(found.status == 1)
        #expect(found.output.contains(/message 5: priced by rate 1, but rate \d was in force/))
        #expect(found.output.hasSuffix(": 1 difference; 1 record not priced by a rate\n"))
    }

    @Test func `refuses a rate that begins before the newest record, up to five minutes ahead`()
        throws
    {
        let database = try Database()
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", message_text)
            VALUES (now() + interval '4 minutes', 'x')
            """)
        let early = try add(database, inDays: 1.0 / 1440)
        #expect(early.status == 65)
        #expect(
            early.errors.contains("records are already priced at that time: the newest is of 20"))
        #expect(try add(database, inDays: 5.0 / 1440).status == 0)
    }

    @Test func `replaces the first rate before the first record, and not after`() throws {
        let database = try Database()
        let revision = try database.value("SELECT usage_revision()")
        let chosen = try run(
            database, "rates", "first", "--credits-per-100-tokens", "12.50", "--minimum", "0",
            "--tokenizer", "o200k_base")
        #expect(chosen.status == 0, "\(chosen.errors)")
        #expect(chosen.errors.contains("estimate"))
        #expect(
            try run(database, "rates", "list").output
                == "from the beginning: 12.50 credits per 100 tokens, minimum 0.00, tokenizer o200k_base; 0 records\n"
        )
        #expect(try database.value("SELECT usage_revision()") != revision)
        // A copied price list may have dates in the past if there are no records.
        try database.run(
            """
            \(insertRates("('2001-01-01Z', 'characters', 1, 1)"))
            """)
        #expect(
            try run(database, "rates", "first", "--credits-per-100-tokens", "40").status == 0)
        try database.run("INSERT INTO usage_record VALUES (1, '2000-01-01Z', NULL, 'x')")
        let late = try run(database, "rates", "first", "--credits-per-100-tokens", "41")
        #expect(late.status == 65)
        #expect(
            late.errors == """
                orbitalctl: messages are already recorded, so the first rate cannot be replaced; add a later one with: orbitalctl rates add

                """)
        #expect(
            try database.psql(
                "SELECT hundredths_per_100_tokens FROM credit_rate ORDER BY effective_from")
                == "4000\n1")
        #expect(
            try run(database, "rates", "first", "--credits-per-100-tokens", "1.0000001").status
                == 64)
    }

    @Test func `never changes the dates of rates, even without records`() throws {
        let database = try Database()
        for change in ["effective_from = '2000-01-01Z'", "effective_from = effective_from"] {
            #expect(throws: (any Error).self) {
                try database.run("UPDATE credit_rate SET \(change)")
            }
        }
        #expect(throws: (any Error).self) {
            try database.run(
                "BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE credit_rate SET minimum_hundredths = 1"
            )
        }
        try database.run("ROLLBACK")
    }
}

import Foundation
import Postgres
import TestSupport
import Testing
import UsageStore

@Suite(.timeLimit(.minutes(2))) struct `An attribution in SQL` {
    private func number(
        _ database: Database, _ user: String, _ team: String, _ model: String, _ tags: String
    ) throws -> String? {
        try database.value("SELECT usage_attribution(\(user), \(team), \(model), \(tags))")
    }

    private func state(_ database: Database, _ script: String) -> String? {
        do {
            try database.run(script)
            return nil
        } catch {
            return (error as? PostgresError).map { $0.constraint ?? $0.state }
        }
    }

    @Test func `has one number for each combination, and uses none up for known ones`() throws {
        let database = try Database()
        #expect(try number(database, "NULL", "NULL", "NULL", "NULL") == nil)
        #expect(try number(database, "''", "''", "''", "'{}'") == nil)
        #expect(try number(database, "'u'", "NULL", "NULL", "NULL") == "1")
        #expect(try number(database, "'u'", "''", "''", "'{}'") == "1")
        for _ in 1...3 { #expect(try number(database, "'u'", "NULL", "NULL", "NULL") == "1") }
        #expect(try number(database, "NULL", "'u'", "NULL", "NULL") == "2")
        #expect(
            try number(database, "'u'", "'t'", "'m'", #"'{"env": "prod", "a": "1"}'"#) == "3")
        #expect(
            try number(database, "'u'", "'t'", "'m'", #"'{"a":"1","env":"prod"}'"#) == "3")
        #expect(try number(database, #"'u","t'"#, "''", "'m'", "NULL") == "4")
        #expect(try number(database, "NULL", "NULL", "NULL", #"'{"a":"1"}'"#) == "5")
        #expect(try number(database, "'u'", #"'t'"#, "'m'", "NULL") == "6")
        #expect(
            try database.psql(
                """
                SELECT user_id, team_id, model, usage_tags_text(tags) FROM usage_attribution
                WHERE attribution_id = 3
                """) == #"u|t|m|{"a":"1","env":"prod"}"#)
    }

    @Test(arguments: [
        ("repeat('x', 200)", "'{}'", nil),
        ("repeat('x', 201)", "'{}'", "usage_attribution_user_id_check"),
        (#"E'a\nb'"#, "'{}'", "usage_attribution_user_id_check"),
        (#"U&'a\0085b'"#, "'{}'", "usage_attribution_user_id_check"),
        ("'u'", "'[]'", "22023"),
        ("'u'", #"'{"a b":"1"}'"#, "usage_attribution_tags_check"),
        ("'u'", #"'{"a":1}'"#, "usage_attribution_tags_check"),
        ("'u'", #"'{"a":""}'"#, "usage_attribution_tags_check"),
        ("'u'", #"'{"a":"x\ny"}'"#, "usage_attribution_tags_check"),
        (
            "'u'", #"'{"1":"a","2":"a","3":"a","4":"a","5":"a","6":"a","7":"a","8":"a"}'"#, nil
        ),
        (
            "'u'",
            #"'{"1":"a","2":"a","3":"a","4":"a","5":"a","6":"a","7":"a","8":"a","9":"a"}'"#,
            "usage_attribution_tags_check"
        ),
    ])
    func `has short values without control characters, and up to eight tags`(
        user: String, tags: String, constraint: String?
    ) throws {
        #expect(
            state(try Database(), "SELECT usage_attribution(\(user), '', '', \(tags))")
                == constraint)
    }

    @Test func `created behind the back of a snapshot is a serialization failure, never NULL`()
        throws
    {
        let database = try Database()
        let writer = try Connection(
            url: database.url, applicationName: "writer", waitSeconds: 5)
        try writer.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        #expect(try number(database, "'u'", "NULL", "NULL", "NULL") == "1")
        let failure = #expect(throws: PostgresError.self) {
            try writer.run("SELECT usage_attribution('u', NULL, NULL, NULL)")
        }
        #expect(failure?.state == "40001")
    }

    @Test func `changes the revision when it changes, not when it is created`() throws {
        let database = try Database()
        func revision() throws -> Int? {
            try database.value("SELECT usage_revision()").flatMap(Int.init)
        }
        let before = try #require(try revision())
        _ = try number(database, "'u'", "NULL", "NULL", "NULL")
        #expect(try revision() == before)
        try database.run("UPDATE usage_attribution SET user_id = 'v'")
        #expect(try revision() == before + 1)
        try database.run("DELETE FROM usage_attribution")
        #expect(try revision() == before + 2)
    }

    @Test func `belongs to records that plain SQL inserts, with their tokens`() throws {
        let database = try Database()
        let columns = #""timestamp", message_text, input_tokens, output_tokens"#
        try database.run(
            """
            INSERT INTO usage_record (message_id, attribution_id, external_id, \(columns)) VALUES
            (1, usage_attribution('u', NULL, 'gpt-5', NULL), 'chatcmpl-1', now(), 'abc', 7, NULL)
            """)
        #expect(
            try database.psql(
                """
                SELECT character_count, recorded_at = "timestamp", user_id, model
                FROM usage_record JOIN usage_attribution USING (attribution_id)
                """) == "3|t|u|gpt-5")
        for (values, constraint) in [
            ("now(), NULL, NULL, NULL", "usage_record_measure_check"),
            ("now(), NULL, -1, NULL", "usage_record_reported_tokens_check"),
            ("now(), 'x', 1, 1", nil),
        ] {
            #expect(
                state(database, "INSERT INTO usage_record (\(columns)) VALUES (\(values))")
                    == constraint, "\(values)")
        }
        for (external, constraint) in [
            ("'chatcmpl-1'", "usage_record_external_id_key"),
            ("''", "usage_record_external_id_check"),
            ("repeat('x', 256)", "usage_record_external_id_check"),
            (#"E'a\tb'"#, "usage_record_external_id_check"), ("repeat('x', 255)", nil),
        ] {
            let insert = #"INSERT INTO usage_record ("timestamp", message_text, external_id)"#
            #expect(
                state(database, "\(insert) VALUES (now(), 'x', \(external))") == constraint)
        }
    }

    @Test func `has the digest of its values, whoever changes them`() throws {
        let database = try Database()
        #expect(try number(database, "'alice'", "NULL", "NULL", "NULL") == "1")
        try database.run("UPDATE usage_attribution SET user_id = 'erased-1'")
        #expect(try number(database, "'alice'", "NULL", "NULL", "NULL") == "2")
        #expect(try number(database, "'erased-1'", "NULL", "NULL", "NULL") == "1")
        try database.run(
            "UPDATE usage_attribution SET digest = sha256('x') WHERE attribution_id = 1")
        #expect(try number(database, "'erased-1'", "NULL", "NULL", "NULL") == "1")
        #expect(
            state(database, "UPDATE usage_attribution SET user_id = 'erased-1'")
                == "usage_attribution_digest_key")
    }

    @Test func `cannot be deleted while records have it`() throws {
        let database = try Database()
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", message_text, attribution_id) VALUES
            (now(), 'x', usage_attribution('u', NULL, NULL, NULL)), (now(), 'x', NULL);
            SELECT usage_attribution('unused', NULL, NULL, NULL)
            """)
        #expect(state(database, "DELETE FROM usage_attribution") == "23001")
        #expect(state(database, "TRUNCATE usage_attribution") == "23001")
        #expect(
            state(database, "DELETE FROM usage_attribution WHERE user_id = 'unused'") == nil)
        #expect(
            try database.value("SELECT string_agg(user_id, ' ') FROM usage_attribution") == "u")
        #expect(state(database, "TRUNCATE usage_record, usage_attribution") == nil)
    }

    @Test func `cannot be deleted while a transaction records with it`() throws {
        let database = try Database()
        #expect(try number(database, "'u'", "NULL", "NULL", "NULL") == "1")
        let writer = try Connection(
            url: database.url, applicationName: "writer", waitSeconds: 5)
        try writer.run(
            """
            BEGIN;
            INSERT INTO usage_record ("timestamp", message_text, attribution_id)
            VALUES (now(), 'x', 1)
            """)
        #expect(state(database, "DELETE FROM usage_attribution") == "55P03")
        try writer.run("ROLLBACK")
        #expect(state(database, "DELETE FROM usage_attribution") == nil)
    }

    @Test(arguments: [
        "repeat('x', 201), 't', 'm', NULL", "'u', repeat('x', 201), 'm', NULL",
        "'u', 't', repeat('x', 201), NULL", #"'u', 't', E'a\tb', NULL"#,
        #"'u', 't', 'm', '{"a":""}'"#, #"NULL, NULL, NULL, '{"a b":"1"}'"#,
    ])
    func `uses up no number when it is refused`(values: String) throws {
        let database = try Database()
        for _ in 1...3 {
            let state = state(database, "SELECT usage_attribution(\(values))")
            #expect(state?.hasSuffix("check") == true)
        }
        #expect(try number(database, "'u'", "NULL", "NULL", "NULL") == "1")
    }

    @Test func `keeps the number of characters right when SQL changes or removes a text`() throws {
        let database = try Database()
        try database.run(
            #"INSERT INTO usage_record ("timestamp", message_text) VALUES (now(), 'abc')"#)
        func count() throws -> String? {
            try database.value("SELECT character_count FROM usage_record")
        }
        #expect(try count() == "3")
        try database.run("UPDATE usage_record SET message_text = 'abcde'")
        #expect(try count() == "5")
        #expect(
            state(database, "UPDATE usage_record SET character_count = 4")
                == "usage_record_character_count_check")
        try database.run(
            "UPDATE usage_record SET message_text = NULL, text_digest = substr(sha256('x'), 1, 16)")
        #expect(try count() == "5")
    }
}

import Foundation
import TestSupport
import Testing
import UsageStore

@Suite(.timeLimit(.minutes(2))) struct `orbitalctl` {
    private func run(_ arguments: [String], _ environment: [String: String] = [:]) throws
        -> Program.Outcome
    {
        try Program.run(Repository.program("orbitalctl"), arguments, environment: environment)
    }

    @Test(arguments: ["ndjson", "json", "csv"])
    func `exports a file that import reads back exactly`(format: String) throws {
        let database = try Database()
        try database.addRecords(3000)
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", report_name, message_text)
            SELECT '2023-01-01T00:00:00.123456Z', 'a"b,c' || chr(n), E'\\r\\n\\t,"=1+1' || chr(n) || chr(128512)
            FROM generate_series(1, 300) AS n
            """)
        let file = TemporaryFolder.shared.file("export").path
        let exported = try run(
            ["export", "--format", format, "-o", file], ["DATABASE_URL": database.url])
        #expect(exported.errors == "exported 3300 messages\n")
        let copy = try Database()
        let imported = try run(["import", file], ["DATABASE_URL": copy.url])
        #expect(imported.output == "created 3300, duplicates 0, conflicts 0, invalid 0\n")
        // The copy has been recorded at another time.
        let digest = """
            SELECT md5(string_agg((to_jsonb(r) - 'recorded_at')::text, '|' ORDER BY message_id))
            FROM usage_record AS r
            """
        #expect(try copy.value(digest) == database.value(digest))
    }

    @Test func `writes only the export if standard output and error are closed`()
        throws
    {
        let database = try Database()
        try database.addRecords(3)
        let files = try ["", ">&- 2>&-", "2>/dev/full"].map { closed in
            let file = TemporaryFolder.shared.file("closed").path
            let command = "exec \"$0\" export -o \"$1\" \(closed)"
            let outcome = try Program.run(
                "/bin/sh", ["-c", command, Repository.program("orbitalctl"), file],
                environment: ["DATABASE_URL": database.url])
            #expect(outcome.status == 0)
            return try String(contentsOfFile: file, encoding: .utf8)
        }
        #expect(Set(files).count == 1)
        let nowhere = try Program.run(
            "/bin/sh", ["-c", "exec \"$0\" export >&-", Repository.program("orbitalctl")],
            environment: ["DATABASE_URL": database.url])
        #expect(nowhere.status == 74)
    }

    @Test func `leaves no file when an export fails`() throws {
        let folder = TemporaryFolder.shared.file("exports")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appendingPathComponent("all.json").path
        let empty = try Database(isMigrated: false)
        let failed = try run(["export", "-o", file], ["DATABASE_URL": empty.url])
        #expect(failed.status == 69)
        #expect(
            failed.errors.hasPrefix(
                "orbitalctl: the database is unavailable: its schema is missing or out of date: "),
            "\(failed.errors)")
        #expect(failed.errors.hasSuffix("remedy: run: orbitalctl migrate up\n"), "\(failed.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    }

    @Test func `migrates up and down, shows the state, and creates new files`() throws {
        let database = try Database(isMigrated: false)
        let folder = TemporaryFolder.shared.file("migrations").path
        try FileManager.default.copyItem(atPath: Repository.path("Migrations"), toPath: folder)
        func migrate(_ words: String...) throws -> Program.Outcome {
            try run(["migrate"] + words + ["--migrations", folder], ["DATABASE_URL": database.url])
        }
        #expect(try migrate("status").status == 1)
        #expect(try migrate("up").output.hasPrefix("applying 0001_credit_rate.sql\n"))
        #expect(try migrate("up").output == "the schema is up to date\n")
        #expect(try migrate("status").status == 0)
        let added = String(format: "%04d_add_a_tenant.sql", (Int(Schema.version) ?? 0) + 1)
        #expect(try migrate("new", "Add a tenant!").output == "\(folder)/\(added)\n")
        #expect(try migrate("up").output == "applying \(added)\n")
        #expect(try migrate("down").output == "reverted \(added)\n")
        try "-- migrate:up\nSELECT 1;\n".write(
            toFile: "\(folder)/0001_credit_rate.sql", atomically: true, encoding: .utf8)
        let changed = try migrate("up")
        #expect(changed.status == 65)
        #expect(
            changed.errors.hasPrefix(
                "orbitalctl: 0001_credit_rate.sql was changed after it was applied;"))
    }

    @Test func `checks the whole service, and reports how to fix each fault`() throws {
        let site = try Site()
        defer { site.stop() }
        let environment = [
            "DATABASE_URL": site.database.url, "SOCKET_PATH": site.responder.socketPath,
            "PORT": "1",
        ]
        let well = try run(["check"], environment)
        #expect(well.output.contains("ok     schema: migration \(Schema.version) is applied\n"))
        #expect(
            well.output.contains(
                "ok     rates: 40.00 credits per 100 tokens, minimum 1.00, tokenizer characters\n")
        )
        #expect(
            well.output.contains(
                "ok     socket: \(site.responder.socketPath) accepts connections\n"))
        #expect(
            well.output.contains(
                "FAULT  nginx: no response from http://127.0.0.1:1/health/live\n       remedy: start nginx"
            ))
        #expect(well.status == 1)
        site.responder.stop()
        try site.database.run("ALTER TABLE usage_record DISABLE TRIGGER usage_record_revision")
        let ill = try run(["check"], environment)
        #expect(
            ill.output.contains(
                "FAULT  schema: missing or disabled triggers: usage_record_revision\n"))
        #expect(
            ill.output.contains(
                "FAULT  socket: connect \(site.responder.socketPath): No such file or directory\n       remedy: start the responder"
            ))
        let removed = try run(["check"], environment.merging(["SPOOL_MEGABYTES": "9"]) { $1 })
        #expect(
            removed.output.contains(
                "\nNOTICE configuration: SPOOL_MEGABYTES was removed in version 0.2.0 and has no effect\n"
            ))
        let old = try Database(isMigrated: false)
        #expect(
            try run(["check"], ["DATABASE_URL": old.url]).output.contains(
                "remedy: run: orbitalctl migrate up"))
        let away = try run(["check"], ["DATABASE_URL": "host=/nowhere"])
        #expect(away.output.contains("FAULT  database: 08006: "))
        #expect(
            try run(["check"], ["WORKERS": "many"]).output
                == "FAULT  configuration: WORKERS must be a number from 1 to 256\n       remedy: correct it in the configuration file or the environment\n"
        )
    }

    @Test func `names the tag that grows when ATTRIBUTION_LIMIT is near`() throws {
        let database = try Database()
        func check(_ limit: String) throws -> String {
            try run(["check"], ["DATABASE_URL": database.url, "ATTRIBUTION_LIMIT": limit]).output
        }
        #expect(try !check("1").contains("ATTRIBUTION_LIMIT"))
        try database.run(
            """
            SELECT usage_attribution('u-' || n % 30, 't', 'm', jsonb_build_object(
                'env', 'prod', 'request', n::text)) FROM generate_series(1, 80) AS n
            """)
        for limit in ["101", "0"] { #expect(try !check(limit).contains("ATTRIBUTION_LIMIT")) }
        for limit in ["100", "50"] {
            #expect(
                try check(limit).contains(
                    """
                    FAULT  attributions: 80 of \(limit) combinations of user, team, model and tags exist; \
                    beyond ATTRIBUTION_LIMIT, messages are invalid; among the newest 80, tag:request has \
                    the most values: 80
                           remedy: if tag:request has a value for each message, omit it, and send the \
                    value as external_id; otherwise raise ATTRIBUTION_LIMIT

                    """))
        }
    }

    @Test func `reports faults that no trigger can prevent, and low connection limits`() throws {
        let database = try Database()
        let origin = try Database()
        let role = "few_\(UInt64.random(in: 0 ... .max))"
        try origin.run("CREATE PUBLICATION all_records FOR TABLE usage_record")
        try database.run(
            """
            CREATE ROLE \(role) LOGIN CONNECTION LIMIT 1 IN ROLE pg_read_all_data;
            CREATE SUBSCRIPTION copies CONNECTION '\(origin.url)' PUBLICATION all_records
                WITH (create_slot = false, slot_name = NONE, enabled = false);
            ALTER TABLE api_key SET UNLOGGED;
            INSERT INTO api_key (key_id, name, secret_sha256, scopes, expires_at)
            SELECT repeat(name, 12), 'the job', sha256(name::bytea), '{usage:read}',
                now() + days * interval '1 day'
            FROM (VALUES ('a', 13), ('b', 15), ('c', -1)) AS keys(name, days)
            """)
        defer { try? database.run("DROP SUBSCRIPTION copies") }
        try database.run("ALTER SYSTEM SET full_page_writes = off")
        try database.run("SELECT pg_reload_conf()")
        defer {
            try? database.run("ALTER SYSTEM RESET full_page_writes")
            try? database.run("SELECT pg_reload_conf()")
        }
        #expect(try eventually { try database.value("SHOW full_page_writes") == "off" })
        let url = database.url.replacing("orbital@", with: "\(role)@")
        let check = try run(["check"], ["DATABASE_URL": url])
        for fault in [
            "database: fsync is off: a system crash can corrupt the database",
            "database: full_page_writes is off: a system crash can corrupt the database",
            "database: the CONNECTION LIMIT of the role \(role) allows 1 connection for "
                + "16 workers, so requests wait for connections",
            "schema: the subscription copies writes to usage_record without statement "
                + "triggers, so the revision does not change",
            "schema: the table api_key is unlogged: a crash empties it",
            "keys: key aaaaaaaaaaaa (the job) expires at 20",
        ] {
            #expect(check.output.contains("FAULT  \(fault)"), "\(fault):\n\(check.output)")
        }
        #expect(!check.output.contains("key bbb") && !check.output.contains("key ccc"))
        #expect(check.status == 1)
    }

    @Test(arguments: [
        (13, "FAULT  certificate: expires on 20"), (15, "ok     certificate: valid until 20"),
    ])
    func `reports a certificate that expires within two weeks`(days: Int, expected: String) throws {
        let folder = TemporaryFolder.shared.file("tls")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let made = try Program.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "\(days)", "-subj",
                "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem",
            ], directory: folder)
        #expect(made.status == 0, "\(made.errors)")
        let port = try freePort()
        let server = try Program(
            "/usr/bin/openssl",
            [
                "s_server", "-accept", "127.0.0.1:\(port)", "-cert", "cert.pem", "-key", "key.pem",
                "-www",
            ], directory: folder)
        defer { server.stop() }
        #expect(eventually { server.output.contains("ACCEPT") })
        let check = try run(
            ["check", "--tls", "https://127.0.0.1:\(port)"], ["DATABASE_URL": "host=/nowhere"])
        #expect(check.output.contains(expected), "\(check.output)")
    }

    @Test func `exits with the documented status`() throws {
        #expect(try run(["--help"]).status == 0)
        #expect(try run(["--version"]).output == "\(Repository.version)\n")
        #expect(try run(["nonsense"]).status == 64)
        #expect(try run(["export"], ["DATABASE_URL": "host=/nowhere"]).status == 69)
        #expect(try run(["import", "/nowhere"]).status == 66)
        #expect(try run(["migrate", "up"], ["CONFIG_ENV": "moon"]).status == 78)
    }
}

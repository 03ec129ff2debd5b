import Foundation
import TestSupport
import Testing

/// A vocabulary that the price list needs is missing in `TOKENIZER_DIRECTORY`.
@Suite(.timeLimit(.minutes(2))) struct `A missing vocabulary` {
    private let directory = TemporaryFolder.shared.file("tokenizers")
    private let site: Site
    private let key: String

    /// Starts with a price list that counts characters until 2022, and o200k_base after that.
    init() throws {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        site = try Site(["TOKENIZER_DIRECTORY": directory.path])
        key = try site.database.key()
        try add("o200k_base", from: "'2022-01-01Z'")
    }

    private func add(_ tokenizer: String, from: String) throws {
        try site.database.run(
            """
            \(insertRates("(\(from), '\(tokenizer)', 1000, 1)"))
            """)
    }

    private func post(_ body: String, _ path: String = "/usage") throws -> Site.Answer {
        try site.curl(
            path,
            [
                "-H", "Authorization: Bearer \(key)", "-H", "Content-Type: application/json",
                "-d", body,
            ])
    }

    private func orbitalctl(_ arguments: String..., input: String = "") throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"), arguments,
            environment: [
                "DATABASE_URL": site.database.url, "CONFIG_ENV": "test",
                "TOKENIZER_DIRECTORY": directory.path,
            ], input: input)
    }

    private func metrics() throws -> String {
        let client = FastCGIClient(site.responder.socketPath)
        client.send(
            FastCGIClient.request(
                ["REQUEST_METHOD": "GET", "SCRIPT_NAME": "/metrics", "ORBITAL_INTERNAL": "1"],
                false))
        return try #require(client.answer())
    }

    private static let past =
        #"{"message_id":1,"timestamp":"2019-06-01T00:00:00Z","message_text":"x"}"#
    private static let exact =
        #"{"message_id":2,"timestamp":"2022-06-01T00:00:00Z","message_text":"hello world"}"#
    private var fetch: String { "deploy/tokenizers \(directory.path)" }

    @Test func `is not reported as a failure of the database`() throws {
        defer { site.stop() }
        for (body, path) in [
            (Self.exact, "/usage"), ("[\(Self.past),\(Self.exact)]", "/usage"),
            (Self.exact, "/usage/estimate"),
        ] {
            let answer = try post(body, path)
            #expect(answer.status == 503)
            #expect(answer.fields["retry-after"] == "30")
            #expect(
                answer.body.contains(
                    #""detail":"The server lacks the vocabulary of the tokenizer o200k_base. Retry later.","#
                ), "\(answer.body)")
        }
        #expect(try site.database.value("SELECT count(*) FROM usage_record") == "0")
        let log = site.responder.program.output
        #expect(log.contains("] tokenizer unavailable"), "\(log)")
        #expect(log.contains("\(directory.path)/o200k_base.tiktoken cannot be opened"), "\(log)")
        #expect(!log.contains("database unavailable"), "\(log)")
        let metrics = try metrics()
        #expect(metrics.contains("\norbital_tokenizer_failures_total 3\n"), "\(metrics)")
        #expect(metrics.contains("\norbital_database_failures_total 0\n"), "\(metrics)")
        #expect(metrics.contains("\norbital_healthy{check=\"database\"} 1\n"), "\(metrics)")
        #expect(metrics.contains("\norbital_healthy{check=\"tokenizer\"} 0\n"), "\(metrics)")
        #expect(metrics.contains("\norbital_revision "), "\(metrics)")
    }

    @Test func `is a fault of readiness, and is found without a restart once it is there`() throws {
        defer { site.stop() }
        #expect(try site.curl("/health").status == 200)
        #expect(try site.curl("/health/live").status == 200)
        let ill = try site.curl("/health/ready")
        #expect(ill.status == 503)
        #expect(
            ill.body.contains(
                #"{"name":"tokenizer","status":"unhealthy","message":"The vocabulary of the tokenizer o200k_base is missing or damaged; the price list requires it."}]"#
            ), "\(ill.body)")
        #expect(!ill.body.contains(directory.path))
        // Messages at a rate by characters are recorded nevertheless.
        #expect(try post(Self.past).status == 201)
        try FileManager.default.copyItem(
            atPath: Repository.path(".run/tokenizers/o200k_base.tiktoken"),
            toPath: "\(directory.path)/o200k_base.tiktoken")
        #expect(try site.curl("/health/ready").status == 200)
        #expect(try post(Self.exact).status == 201)
    }

    @Test func `is no fault of readiness when only rates of the past need it`() throws {
        defer { site.stop() }
        try add("characters", from: "'2023-01-01Z'")
        #expect(try site.curl("/health/ready").status == 200)
        #expect(try !metrics().contains(#"check="tokenizer""#))
        try add("cl100k_base", from: "now() + interval '2 hours'")
        #expect(try site.curl("/health/ready").status == 200)
        try site.database.run(
            """
            SET session_replication_role = replica;
            UPDATE credit_rate SET effective_from = now() + interval '4 minutes'
            WHERE tokenizer = 'cl100k_base'
            """)
        let soon = try site.curl("/health/ready")
        #expect(soon.status == 503)
        #expect(soon.body.contains("the tokenizer cl100k_base"), "\(soon.body)")
    }

    @Test func `is reported by orbitalctl with the command that fetches it`() throws {
        defer { site.stop() }
        let rate = try orbitalctl(
            "rates", "add", "--effective-from", "2099-01-01", "--credits-per-100-tokens", "1",
            "--tokenizer", "cl100k_base")
        #expect(rate.status == 66)
        #expect(rate.errors.contains("cl100k_base.tiktoken cannot be opened"), "\(rate.errors)")
        #expect(rate.errors.contains(fetch), "\(rate.errors)")
        let imported = try orbitalctl("import", "-", input: "\(Self.past)\n\(Self.exact)")
        #expect(imported.status == 66)
        #expect(imported.errors.contains("o200k_base.tiktoken cannot be opened"))
        #expect(imported.errors.contains(fetch), "\(imported.errors)")
        #expect(!imported.errors.contains("the database"), "\(imported.errors)")
        #expect(try site.database.value("SELECT count(*) FROM usage_record") == "0")
        let check = try orbitalctl("check")
        #expect(check.status == 1)
        #expect(check.output.contains("FAULT  tokenizer: "), "\(check.output)")
        #expect(check.output.contains("o200k_base.tiktoken cannot be opened"), "\(check.output)")
        #expect(check.output.contains("remedy: run: \(fetch)"), "\(check.output)")
    }
}

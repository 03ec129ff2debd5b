import Foundation
import Postgres
import TestSupport
import Testing

/// What monitors, scripts and spreadsheets send; each test is named after its symptom.
@Suite(.timeLimit(.minutes(2))) struct `The API, as real clients use it,` {
    @Test func `is healthy for a monitor that adds a parameter`() throws {
        let site = try Site()
        defer { site.stop() }
        for path in ["/health", "/health/live", "/health/ready"] {
            let answer = try site.curl("\(path)?cachebuster=1&%ff")
            #expect(answer.status == 200)
            #expect(answer.body.hasPrefix(#"{"status":"healthy","#))
        }
    }

    @Test func `is unhealthy at once when another request has seen the database fail`() throws {
        let site = try Site()
        defer { site.stop() }
        let name = try #require(try site.database.value("SELECT current_database()"))
        let other = try Database()
        // In one command, so that it takes less than the half second for which health is cached.
        let script = """
            set -e
            get() { curl -sS -o /dev/null -w '%{http_code} ' --unix-socket "$SOCKET" "http://localhost$1"; }
            get /health; get /usage
            psql -Xq "$OTHER" -c "ALTER DATABASE $NAME WITH ALLOW_CONNECTIONS false" -c "
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$NAME'" >/dev/null
            get /health/live; get /usage; get /health; get /health/ready
            """
        let outcome = try Program.run(
            "/bin/bash", ["-c", script],
            environment: ["SOCKET": site.nginx.socketPath, "OTHER": other.url, "NAME": name])
        #expect(outcome.output == "200 200 200 503 503 503 ", "\(outcome.errors)")
    }

    @Test func `sums years of records without a granularity, in the finest that fits`() throws {
        let site = try Site()
        defer { site.stop() }
        func summary(_ query: String) throws -> (granularity: String, tag: String?) {
            let answer = try site.curl("/usage/summary\(query)")
            #expect(answer.status == 200, "\(answer.body)")
            let found = answer.body.firstMatch(of: /"granularity":"([a-z]+)"/)
            return (String(found?.1 ?? ""), answer.fields["etag"])
        }
        for (to, granularity) in [
            ("2020-01-02", "day"), ("2021-01-01", "day"), ("2021-01-02", "week"),
            ("2024-12-23", "week"), ("2024-12-24", "month"), ("2030-01-01", "month"),
            ("2030-01-02", "total"), ("2199-01-01", "total"),
        ] {
            #expect(try summary("?from=2020-01-01&to=\(to)").granularity == granularity, "\(to)")
        }
        // Apia skipped a day, so these 367 dates are 366 days.
        #expect(
            try summary("?from=2011-06-01&to=2012-06-02&tz=Pacific/Apia").granularity == "day")
        #expect(try summary("").granularity == "day")
        try site.database.run(
            """
            INSERT INTO usage_record ("timestamp", message_text)
            VALUES ('2024-01-01T12:00:00Z', 'x'), ('2025-01-01T12:00:00Z', 'x')
            """)
        let without = try summary("")
        #expect(without.granularity == "week")
        #expect(try summary("?granularity=week").tag != without.tag)
        #expect(try site.curl("/usage/summary?granularity=day").status == 400)
        try site.database.run(
            #"INSERT INTO usage_record ("timestamp", message_text) VALUES ('2010-01-01Z', 'x')"#)
        #expect(try summary("").granularity == "total")
    }

    @Test func `takes True and 1 for true, and False and 0 for false`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addContractRecords()
        let tags = try ["true", "True", "TRUE", "tRuE", "1"].map { text in
            let answer = try site.curl("/usage?has_report=\(text)&totals=\(text)")
            #expect(answer.status == 200, "\(text)")
            #expect(answer.fields["x-total-count"] == "1", "\(text)")
            return answer.fields["etag"]
        }
        #expect(Set(tags).count == 1)
        for text in ["false", "False", "FALSE", "0"] {
            let sums = try site.curl("/usage/summary?granularity=total&has_report=\(text)")
            #expect(sums.body.contains(#""totals":{"messages":1,"reports":0,"#), "\(text)")
            #expect(try site.curl("/usage?totals=\(text)").fields["x-total-count"] == nil)
        }
        let refused = try site.curl("/usage?has_report=yes&totals=2")
        #expect(refused.status == 400)
        #expect(refused.body.contains("has_report must be true, false, 1 or 0."))
        #expect(refused.body.contains("totals must be true, false, 1 or 0."))
    }

    @Test func `begins CSV for Excel with a byte order mark`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.run(
            """
            INSERT INTO usage_record (message_id, "timestamp", report_name, message_text)
            VALUES (1, '2024-01-15T14:30:00Z', 'Übersicht', 'x')
            """)
        let plain = try site.curl("/usage?format=csv").body
        #expect(plain.utf8.starts(with: "message_id,".utf8))
        // The second comes from memory.
        for _ in 1...2 {
            let marked = try site.curl("/usage?format=csv&bom=true&limit=5").body
            #expect(Array(marked.utf8) == [0xef, 0xbb, 0xbf] + Array(plain.utf8))
        }
        let accepted = try site.curl("/usage?bom=1", ["-H", "Accept: text/csv"])
        #expect(Array(accepted.body.utf8.prefix(3)) == [0xef, 0xbb, 0xbf])
        #expect(try site.curl("/usage?format=csv&bom=false").body == plain)
        #expect(try site.curl("/usage?bom=false").status == 200)
        for query in ["bom=true", "bom=true&format=ndjson"] {
            let refused = try site.curl("/usage?\(query)")
            #expect(refused.status == 400)
            #expect(
                refused.body.contains(
                    "bom=true requires format=csv."))
        }
    }
}

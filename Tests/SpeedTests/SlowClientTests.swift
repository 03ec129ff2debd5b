import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `Slow clients` {
    @Test func `take a bounded part of nginx's disk, and leave short requests alone`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addRecords(40_000)
        let outcome = try Program.run(
            "/usr/bin/python3",
            [
                "-B", Repository.path("Tests/load/slow_clients.py"), site.nginx.socketPath,
                site.nginx.folder.appendingPathComponent("temp").path,
            ])
        print(outcome.output, terminator: "")
        #expect(outcome.status == 0, "\(outcome.errors)")
        let reads = /readers take \d+\.\d MB of disk; {'200': 24, '503': 36}/
        let sends = /senders take \d+\.\d MB of disk; {'waits': 32, '503': 28}/
        #expect(outcome.output.firstMatch(of: reads) != nil)
        #expect(outcome.output.firstMatch(of: sends) != nil)
        #expect(outcome.output.contains("left: 0.0 MB"))
        #expect(try site.curl("/usage").status == 200)
    }

    @Test func `take at most what the runbook says`() throws {
        let nginx = try String(
            contentsOfFile: Repository.path("nginx/orbital.conf"), encoding: .utf8)
        func number(_ pattern: Regex<(Substring, Substring)>) throws -> Int {
            try #require(nginx.firstMatch(of: pattern).flatMap { Int($0.1) })
        }
        let reads = try number(/limit_conn +orbital_long_reads +(\d+);/)
        let bodies = try number(/limit_conn +orbital_large_bodies +(\d+);/)
        let response = try number(/fastcgi_max_temp_file_size +(\d+)m;/)
        let body = try number(/client_max_body_size +(\d+)m;/)
        // The longest response to a body of this size is in Tests/api/test_worst_bodies.py.
        let sum = reads * response + bodies * (body + 18)
        for file in ["nginx/orbital.conf", "deploy/RUNBOOK.md", "deploy/docker/nginx.conf"] {
            let text = try String(contentsOfFile: Repository.path(file), encoding: .utf8)
            #expect(text.contains("\(sum / 1000),\(sum % 1000) MB"), "\(file): \(sum) MB")
        }
    }
}

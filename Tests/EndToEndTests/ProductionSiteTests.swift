import Foundation
import TestSupport
import Testing

/// The features of `nginx/optional`, and the header fields of every response.
@Suite(.timeLimit(.minutes(2))) struct `The site in production` {
    private let limits = ["orbital-limits-zone.conf", "orbital-limits.conf"]

    @Test func `tells a client that asks too often to wait, in the words of every error`() throws {
        let site = try Site(nginxFiles: limits)
        defer { site.stop() }
        let codes = try Program.run(
            "/usr/bin/curl",
            [
                "-s", "--parallel", "--parallel-max", "50", "-o", "/dev/null", "-w",
                "%{http_code} %header{retry-after} %{content_type}\n", "--unix-socket",
                site.nginx.socketPath, "http://localhost/usage?limit=[1-200]",
            ]
        ).output.split(separator: "\n").filter { $0.prefixMatch(of: #/[0-9]{3} /#) != nil }
        #expect(codes.count == 200)
        #expect(
            Set(codes) == ["200  application/json", "429 1 application/problem+json"])
        // 41 at once, and 20 more in each second that the 200 took.
        #expect((41...101).contains(codes.count { $0.hasPrefix("200") }), "\(codes.count)")
        let refused = try firstRefusal(site)
        #expect(refused.fields["retry-after"] == "1")
        #expect(refused.fields["x-content-type-options"] == "nosniff")
        let id = try #require(refused.fields["x-request-id"])
        #expect(
            refused.body
                == #"{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"Too many requests; wait a moment.","instance":"/usage","request_id":"\#(id)"}"#
        )
        // Monitoring gets through.
        for _ in 1...60 { #expect(try site.curl("/health").status == 200) }
    }

    /// The first refusal; 200 sequential responses take less than the 8 s that would avoid it.
    private func firstRefusal(_ site: Site) throws -> Site.Answer {
        let answers = try Program.run(
            "/usr/bin/curl",
            [
                "-s", "--include", "--unix-socket", site.nginx.socketPath,
                "http://localhost/usage?limit=[1-200]",
            ]
        ).output
        let first = answers.components(separatedBy: "HTTP/1.1 ").first { $0.hasPrefix("429") }
        return Site.Answer(curlStatus: 0, text: "HTTP/1.1 \(try #require(first))")
    }

    @Test func `gives each request an id: to the client, to both logs, and into errors`() throws {
        let site = try Site(nginxFiles: ["orbital-log-format.conf", "orbital-log.conf"])
        defer { site.stop() }
        let id = try #require(try site.curl("/usage?limit=1").fields["x-request-id"])
        #expect(id.wholeMatch(of: /[0-9a-f]{32}/) != nil)
        let problem = try site.curl("/usage?limit=0", ["-A", #"a "quoted" agent"#])
        let other = try #require(problem.fields["x-request-id"])
        #expect(other != id)
        #expect(problem.body.contains(#""request_id":"\#(other)""#))
        #expect(try site.curl("/index.html").fields["x-request-id"] != nil)
        let log = site.nginx.folder.appendingPathComponent("orbital.log")
        #expect(try eventually { try lines(log).count == 3 })
        let line = try lines(log)[1]
        #expect(line["request_id"] as? String == other)
        #expect(line["status"] as? Int == 400)
        #expect(line["path"] as? String == "/usage")
        #expect(line["upstream_status"] as? String == "400")
        #expect(line["user_agent"] as? String == #"a "quoted" agent"#)
        #expect(try !String(contentsOf: log, encoding: .utf8).contains("limit="))
    }

    private func lines(_ file: URL) throws -> [[String: Any]] {
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
        return try text.split(separator: "\n").compactMap {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
    }

    @Test func `speaks TLS 1.2 and 1.3, HTTP/2, and has browsers come back that way`() throws {
        let site = try Site()
        defer { site.stop() }
        let folder = site.nginx.folder.path
        let secure = TemporaryFolder.shared.file("tls").path
        let made = try Program.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", "/CN=usage.example.org", "-keyout", "\(folder)/privkey.pem",
                "-out", "\(folder)/fullchain.pem",
            ])
        #expect(made.status == 0)
        try String(
            contentsOfFile: Repository.path("nginx/optional/orbital-tls.conf"), encoding: .utf8
        )
        .replacing("listen [::]:443 ssl http2;\n", with: "")
        .replacing("listen 443", with: "listen unix:\(secure)")
        .replacing("/etc/ssl/orbital", with: folder)
        .replacing("/usr/share/orbital-usage/html", with: Repository.path("nginx/html"))
        .write(
            toFile: "\(folder)/snippets/orbital-site.conf", atomically: true, encoding: .utf8)
        site.nginx.program.signal(SIGHUP)
        #expect(eventually { FileManager.default.fileExists(atPath: secure) })
        func curl(_ options: [String]) throws -> Program.Outcome {
            try Program.run(
                "/usr/bin/curl",
                options + ["-sSik", "--unix-socket", secure, "https://usage.example.org/health"])
        }
        for options in [["--http1.1", "--tls-max", "1.2"], ["--http2", "--tlsv1.3"]] {
            let answer = try curl(options)
            #expect(answer.output.contains(" 200 "), "\(answer.errors)")
            #expect(
                answer.output.lowercased().contains("strict-transport-security: max-age=63072000"))
        }
        #expect(try curl(["--http2"]).output.hasPrefix("HTTP/2 200"))
        #expect(try curl(["--tls-max", "1.1"]).status == 35)
        #expect(try curl(["--tls-max", "1.2", "--ciphers", "AES128-SHA"]).status == 35)
    }

    @Test func `asks for TLS nowhere else`() throws {
        let site = try Site()
        defer { site.stop() }
        #expect(try site.curl("/health").fields["strict-transport-security"] == nil)
    }
}

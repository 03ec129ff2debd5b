import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct `Every error` {
    private struct Body: Decodable {
        let type: String
        let title: String
        let status: Int
        let detail: String
        let instance: String
        let request_id: String
    }

    private func check(_ answer: Site.Answer, _ status: Int, instance: String) throws {
        #expect(answer.curlStatus == 0)
        #expect(answer.status == status)
        #expect(answer.fields["content-type"] == "application/problem+json")
        #expect(answer.fields["x-content-type-options"] == "nosniff")
        let body = try JSONDecoder().decode(Body.self, from: Data(answer.body.utf8))
        #expect(body.type == "about:blank")
        #expect(body.status == status)
        #expect(body.instance == instance)
        #expect(body.request_id.count == 32)
        #expect(!body.title.isEmpty && !body.detail.isEmpty)
    }

    @Test func `of the responder is problem+json`() throws {
        let site = try Site()
        defer { site.stop() }
        try check(site.curl("/usage/nothing"), 404, instance: "/usage/nothing")
        try check(site.curl("/usage/1?x"), 400, instance: "/usage/1")
        let refused = try site.curl("/usage", ["-X", "DELETE"])
        try check(refused, 405, instance: "/usage")
        #expect(refused.fields["allow"] == "GET, HEAD, POST, OPTIONS")
        let options = try site.curl("/usage", ["-X", "OPTIONS"])
        #expect(options.status == 204)
        #expect(options.fields["allow"] == "GET, HEAD, POST, OPTIONS")
    }

    @Test func `of a path with a slash too many says which path was meant`() throws {
        let site = try Site()
        defer { site.stop() }
        for (path, meant) in [
            ("/usage/", "/usage"), ("/usage//", "/usage"), ("/health/", "/health"),
            ("/health/live/", "/health/live"), ("/usage/summary/?tz=UTC", "/usage/summary"),
            ("/usage/1/", "/usage/1"),
        ] {
            for method in ["GET", "POST"] {
                let answer = try site.curl(path, ["-X", method])
                #expect(answer.status == 404)
                #expect(answer.body.contains("Path \(meant)/"), "\(answer.body)")
                #expect(answer.body.contains(" Did you mean \(meant)?"), "\(answer.body)")
            }
        }
        let unknown = try site.curl("/usage/1/2/")
        #expect(unknown.body.contains(#""detail":"Path not found.""#))
        #expect(try site.curl("/docs/").status == 301)
    }

    @Test func `names a cursor that cannot be decoded beside the other faults`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addRecords(3)
        let names = { (query: String) in
            try site.curl("/usage?\(query)").body.matches(of: /"name":"([a-z]+)"/).map { $0.1 }
        }
        #expect(try names("cursor=!!&limit=0") == ["limit", "cursor"])
        #expect(try names("cursor=AAAA&tz=Mars/Base&sort=x") == ["tz", "sort", "cursor"])
        let page = try site.curl("/usage?limit=1").body
        let cursor = try #require(page.firstMatch(of: /"next_cursor":"([^"]+)"/)).1
        // Whether it belongs to this query is only known if the rest of the query is valid.
        #expect(try names("cursor=\(cursor)&limit=0") == ["limit"])
        #expect(try names("cursor=\(cursor)&sort=message_id") == ["cursor"])
    }

    @Test func `of a missing page is a page for a browser, and problem+json for others`() throws {
        let site = try Site()
        defer { site.stop() }
        let browser = [
            "-H", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ]
        let page = try site.curl("/nothing?q=1", browser)
        #expect(page.status == 404)
        #expect(page.fields["content-type"] == "text/html; charset=utf-8")
        #expect(page.fields["cache-control"] == "no-store")
        #expect(page.fields["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
        #expect(page.fields["x-request-id"]?.count == 32)
        #expect(page.body.contains(">Page not found</h2>") && !page.body.contains("<script"))
        #expect(page.body.matches(of: /(?:src|href)="https?:/).isEmpty)
        #expect(try site.curl("/nothing", ["--head"] + browser).status == 404)
        #expect(try site.curl("/404.html", browser).status == 404)
        try check(site.curl("/nothing", ["-H", "Accept: */*"]), 404, instance: "/nothing")
        try check(site.curl("/404.html"), 404, instance: "/404.html")
        // Below the API's paths, everything is JSON.
        try check(site.curl("/usage/nothing", browser), 404, instance: "/usage/nothing")
        #expect(try site.curl("/docs", browser).status == 200)
    }

    @Test func `of nginx is problem+json too`() throws {
        let site = try Site()
        defer { site.stop() }
        try check(site.curl("/nothing?q=1"), 404, instance: "/nothing")
        try check(site.curl("/a%22b"), 404, instance: "/a%22b")
        // A quote would end the JSON string; such a path is not repeated.
        try check(site.curl("/a\"b", ["--globoff"]), 404, instance: "/a")
        let refused = try site.curl("/", ["-X", "POST", "-d", "x"])
        try check(refused, 405, instance: "/")
        #expect(refused.fields["allow"] == "GET, HEAD")
        let large = TemporaryFolder.shared.file("large").path
        try Data(count: 9 << 20).write(to: URL(fileURLWithPath: large))
        try check(
            site.curl("/usage", ["--data-binary", "@\(large)", "-H", "Expect:"]), 413,
            instance: "/usage")
        site.responder.stop()
        let away = try site.curl("/usage")
        try check(away, 502, instance: "/usage")
        #expect(away.fields["retry-after"] == "1")
    }

    @Test func `names the allowed methods, also where nginx alone refuses TRACE`() throws {
        let site = try Site()
        defer { site.stop() }
        for (path, methods) in [
            ("/usage?limit=1", "GET, HEAD, POST, OPTIONS"), ("/usage/estimate", "POST, OPTIONS"),
            ("/usage/1", "GET, HEAD, OPTIONS"), ("/health", "GET, HEAD, OPTIONS"),
            ("/", "GET, HEAD"),
        ] {
            let refused = try site.curl(path, ["-X", "TRACE"])
            #expect(refused.status == 405)
            #expect(refused.fields["allow"] == methods)
            #expect(refused.body.contains("Allowed methods: \(methods)."))
        }
    }

    @Test func `with a large body behind it is a response, not a broken connection`() throws {
        let site = try Site()
        defer { site.stop() }
        let body = TemporaryFolder.shared.file("body").path
        try Data(count: 7 << 20).write(to: URL(fileURLWithPath: body))
        let programs = try (1...16).map { _ in
            try site.startCurl(
                "/usage",
                options: ["--data-binary", "@\(body)", "-H", "Expect:", "-w", "%{http_code}"])
        }
        #expect(programs.map { $0.wait() } == Array(repeating: 0, count: 16))
        #expect(programs.map(\.output) == Array(repeating: "401", count: 16))
    }
}

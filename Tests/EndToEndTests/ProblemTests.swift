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
        try check(site.curl("/health?x"), 400, instance: "/health")
        let refused = try site.curl("/usage", ["-X", "DELETE"])
        try check(refused, 405, instance: "/usage")
        #expect(refused.fields["allow"] == "GET, HEAD, POST, OPTIONS")
        let options = try site.curl("/usage", ["-X", "OPTIONS"])
        #expect(options.status == 204)
        #expect(options.fields["allow"] == "GET, HEAD, POST, OPTIONS")
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

    @Test func `says what a path answers, also where nginx alone refuses TRACE`() throws {
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
            #expect(refused.body.contains("This path answers \(methods) only."))
        }
    }

    @Test func `with a large body behind it is an answer, not a broken connection`() throws {
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

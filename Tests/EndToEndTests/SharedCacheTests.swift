import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `The shared cache of nginx` {
    /// A site whose nginx has the optional files, as its administrator would put them there.
    private func cachedSite() throws -> Site {
        try Site(nginxFiles: ["orbital-cache-zone.conf", "orbital-cache.conf"])
    }

    private static let vary = "Accept, Accept-Encoding, Authorization"

    private func insert(_ site: Site) throws {
        try site.database.run(
            """
            INSERT INTO usage_record ("timestamp", message_text) VALUES ('2024-01-01Z', 'x')
            """)
    }

    @Test func `gives all clients a response of up to a minute ago, with its ETag`() throws {
        let site = try cachedSite()
        defer { site.stop() }
        let first = try site.curl("/usage?limit=5")
        #expect(first.fields["x-cache-status"] == "MISS")
        #expect(first.fields["cache-control"] == "no-cache")
        try insert(site)
        let second = try site.curl("/usage?limit=5")
        #expect(second.fields["x-cache-status"] == "HIT")
        #expect(second.body == first.body)
        #expect(second.fields["etag"] == first.fields["etag"])
        #expect(second.fields["x-content-type-options"] == "nosniff")
        let tag = try #require(first.fields["etag"])
        #expect(try site.curl("/usage?limit=5", ["-H", "If-None-Match: \(tag)"]).status == 304)
    }

    @Test func `keeps methods, formats and queries apart`() throws {
        let site = try cachedSite()
        defer { site.stop() }
        try insert(site)
        #expect(try site.curl("/usage", ["--head"]).body == "")
        #expect(try site.curl("/usage").body.hasPrefix(#"{"usage":[{"#))
        let csv = try site.curl("/usage", ["-H", "Accept: text/csv"])
        #expect(csv.body.hasPrefix("message_id,"))
        #expect(csv.fields["x-cache-status"] == "MISS")
        #expect(try site.curl("/usage?limit=1").fields["x-cache-status"] == "MISS")
    }

    @Test func `keeps nothing of authenticated requests, of health, or of errors`() throws {
        let site = try cachedSite()
        defer { site.stop() }
        for options in [["-H", "Authorization: Bearer x"], ["-u", "user:x"]] {
            for _ in 1...2 {
                let answer = try site.curl("/usage", options)
                #expect(answer.fields["x-cache-status"] == "BYPASS")
            }
        }
        for _ in 1...2 {
            #expect(try site.curl("/health").fields["x-cache-status"] == "BYPASS")
            #expect(try site.curl("/usage?x").fields["x-cache-status"] == "MISS")
        }
        #expect(try site.curl("/usage").fields["x-cache-status"] == "MISS")
    }

    @Test func `keeps one copy for clients that compress differently, and varies for all`() throws {
        let site = try cachedSite()
        defer { site.stop() }
        try site.database.addRecords(100)
        for (index, coding) in ["gzip, br", "br, gzip", "identity"].enumerated() {
            let answer = try site.curl(
                "/usage",
                ["-H", "Accept-Encoding: \(coding)", "-D", "-", "-o", "/dev/null"])
            #expect(answer.fields["x-cache-status"] == (index == 0 ? "MISS" : "HIT"))
            #expect(answer.fields["vary"] == Self.vary)
            #expect((answer.fields["content-encoding"] == "gzip") == (coding != "identity"))
            let tag = try #require(answer.fields["etag"])
            let same = try site.curl("/usage", ["-H", "If-None-Match: \(tag)"])
            #expect(same.status == 304 && same.fields["vary"] == Self.vary)
        }
    }

    @Test func `is off by default`() throws {
        let site = try Site()
        defer { site.stop() }
        #expect(try site.curl("/usage").fields["x-cache-status"] == nil)
    }
}

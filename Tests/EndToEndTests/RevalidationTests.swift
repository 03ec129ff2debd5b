import Foundation
import TestSupport
import Testing

/// ETag and Vary through caches and proxies.
@Suite(.timeLimit(.minutes(2))) struct `Revalidation` {
    /// The `Vary` of each response; several header lines would be joined by a comma.
    private func vary(_ site: Site, _ path: String, _ options: [String]) throws -> [String?] {
        let tag = try site.curl(path, ["--head"] + options).fields["etag"] ?? ""
        let kinds = [
            [], ["--head"], ["-H", "If-None-Match: \(tag)"], Self.headOfCompressed,
            Self.headOfCompressed + ["-H", "If-None-Match: \(tag)"], [], [],
        ]
        return try kinds.map { try site.curl(path, $0 + options).fields["vary"] }
    }

    /// The body is discarded, because it is not text.
    private static let headOfCompressed = [
        "-H", "Accept-Encoding: gzip", "-o", "/dev/null", "-D", "-",
    ]

    @Test func `says the same in Vary for GET, HEAD and 304, compressed or not, long or short`()
        throws
    {
        let expected = "Accept, Accept-Encoding, Authorization"
        for access in ["open", "keyed"] {
            let site = try Site(["ACCESS": access])
            defer { site.stop() }
            try site.database.addRecords(5000)
            let key = ["-H", "Authorization: Bearer \(try site.database.key())"]
            for path in [
                "/usage", "/usage?limit=1", "/usage?format=csv", "/usage/summary", "/usage/1",
                "/usage?fields=all", "/usage/attributions?of=model",
            ] {
                let found = try vary(site, path, key)
                #expect(found == found.map { _ in expected }, "\(access) \(path)")
            }
        }
    }

    @Test func `of the site's files says Accept-Encoding in GET, HEAD and 304`() throws {
        let site = try Site()
        defer { site.stop() }
        for path in ["/", "/js/main.js", "/openapi.json", "/favicon.svg"] {
            let found = try vary(site, path, [])
            #expect(found == found.map { _ in "Accept-Encoding" }, "\(path)")
        }
    }

    @Test func `sends the whole response whatever the request says of ranges and dates`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addRecords(5000)
        for path in ["/usage", "/usage?limit=10", "/usage?limit=10"] {
            let whole = try site.curl(path)
            for field in [
                "Range: bytes=0-9", "If-Match: \"other\"",
                "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT",
                "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",
            ] {
                let response = try site.curl(path, ["-H", field])
                #expect(response.status == 200, "\(field)")
                #expect(response.body == whole.body, "\(field)")
                #expect(response.fields["last-modified"] == nil)
                #expect(response.fields["accept-ranges"] == nil)
            }
        }
    }

    @Test(arguments: [[], ["orbital-cache-zone.conf", "orbital-cache.conf"]])
    func `finds a tag again that a server between has marked as compressed`(
        nginxFiles: [String]
    ) throws {
        let site = try Site(nginxFiles: nginxFiles)
        defer { site.stop() }
        try site.database.addContractRecords()
        for path in ["/usage", "/usage/summary", "/usage/attributions?of=model", "/usage/1"] {
            let tag = try #require(try site.curl(path).fields["etag"])
            let inner = tag.replacing("\"", with: "")
            #expect(tag == "\"\(inner)\"")
            for marked in [
                "\"\(inner)-gzip\"", "\"\(inner);gzip\"", "\"\(inner)--gzip\"", "\(tag)-gzip",
                "\(tag);gzip", "W/\"\(inner)-br\"", "\"\(inner);br\"", "\"\(inner)-zstd\"",
                "\"other\", \"\(inner)-deflate\"", "\"\(inner)-gzip\", \"other\"",
            ] {
                let answer = try site.curl(path, ["-H", "If-None-Match: \(marked)"])
                #expect(answer.status == 304, "\(marked)")
            }
            for other in ["\"\(inner)-gzipped\"", "\"\(inner)gzip\"", "\"\(inner)1-gzip\""] {
                #expect(try site.curl(path, ["-H", "If-None-Match: \(other)"]).status == 200)
            }
        }
    }

    @Test func `works behind an Apache that compresses`() throws {
        let front = try FrontEnd()
        defer { front.stop() }
        try front.startResponder()
        try front.startApache(
            modules: ["mpm_event", "proxy", "proxy_fcgi", "filter", "deflate"],
            """
            AddOutputFilterByType DEFLATE application/json
            ProxyPass /usage unix:\(front.path("socket"))|fcgi://localhost/usage enablereuse=on
            <Location "/usage">
                CGIPassAuth On
            </Location>
            """)
        try front.database.addContractRecords()
        let key = "Authorization: Bearer \(try front.database.key())"
        func curl(_ options: [String]) throws -> Site.Answer {
            let outcome = try Program.run(
                "/usr/bin/curl",
                ["-sS", "-D", "-", "-o", "/dev/null", "-H", key, "-H", "Accept-Encoding: gzip"]
                    + options + ["\(front.url)/usage"])
            return Site.Answer(curlStatus: outcome.status, text: outcome.output)
        }
        let first = try curl([])
        #expect(first.fields["content-encoding"] == "gzip")
        // Apache joins the names without blanks.
        let names = first.fields["vary"]?.split(separator: ",").map { $0.filter { $0 != " " } }
        #expect(names?.sorted() == ["Accept", "Accept-Encoding", "Authorization"])
        let tag = try #require(first.fields["etag"])
        #expect(tag.hasSuffix("-gzip\""))
        let again = try curl(["-H", "If-None-Match: \(tag)"])
        #expect(again.status == 304)
        #expect(again.fields["vary"] == first.fields["vary"])
    }
}

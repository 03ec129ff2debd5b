import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A long request header` {
    /// The status of a request with these header fields.
    private func status(_ site: Site, _ fields: [String]) throws -> Int {
        let file = TemporaryFolder.shared.file("header")
        try fields.map { "header = \"\($0)\"\n" }.joined()
            .write(to: file, atomically: true, encoding: .utf8)
        let answer = try site.curl("/health/live", ["-K", file.path])
        if answer.status != 200 {
            #expect(answer.fields["content-type"] == "application/problem+json")
            #expect(answer.body.contains(#""detail":"The request header exceeds 64 KB or"#))
        }
        return answer.status
    }

    private func field(_ name: String, _ count: Int) -> String {
        "\(name): \(String(repeating: "x", count: count))"
    }

    @Test func `of 66 to 140 KB is a 400 and not a 500`() throws {
        let site = try Site()
        defer { site.stop() }
        // The responder reads some fields, and not others.
        for name in ["Accept", "X-Other"] {
            let statuses = try [60, 66, 120, 140].map { kilobytes in
                try status(
                    site,
                    (0..<4).map {
                        field(name == "X-Other" ? "\(name)-\($0)" : name, kilobytes * 250)
                    })
            }
            #expect(statuses == [200, 400, 400, 400], "\(name)")
        }
    }

    @Test func `that just fits into nginx's buffers is not a 500`() throws {
        let site = try Site()
        defer { site.stop() }
        let statuses = try stride(from: 31_500, through: 32_700, by: 200).map { count in
            try status(site, [field("Accept", 32_700), field("If-None-Match", count)])
        }
        #expect(Set(statuses) == [200, 400], "\(statuses)")
    }

    @Test func `may have an address of 32 KB`() throws {
        let site = try Site()
        defer { site.stop() }
        let name = String(repeating: "%C3%A9", count: 51)
        let query = (0..<100).map { "report_name=\($0)\(name)" }.joined(separator: "&")
        #expect((32_000..<32_700).contains(query.utf8.count))
        let answer = try site.curl("/usage?limit=1&\(query)", ["-H", field("X-Other", 8000)])
        #expect(answer.status == 200)
    }
}

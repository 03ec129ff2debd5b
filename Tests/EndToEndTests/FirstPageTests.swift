import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct `The first page` {
    private struct Page: Decodable {
        let state: String
        let credits: String
        let messages: String
        let rows: [[String]]
        let isEmptyShown: Bool
        let canTryAgain: Bool
        let complaints: [String]
    }

    /// Opens the page in Chromium, which speaks no HTTP over Unix sockets.
    private func open(_ site: Site, expecting state: String, while body: () throws -> Void = {})
        throws -> Page
    {
        let (url, nginx) = try Nginx.onPort(responderPath: site.responder.socketPath)
        defer { nginx.stop() }
        try body()
        let outcome = try Program.run(
            Repository.path(".build/test-tools/bin/python"),
            [Repository.path("Tests/browser/first_page.py"), "\(url)/", state])
        #expect(outcome.status == 0, "\(outcome.errors)")
        return try JSONDecoder().decode(Page.self, from: Data(outcome.output.utf8))
    }

    @Test func `shows the sum, the count and the newest records`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addRecords(10_000)
        try site.database.run(
            """
            INSERT INTO usage_record ("timestamp", report_name, message_text)
            VALUES ('2025-06-01T12:00:00.5Z', '<b>&"},{', repeat('x', 156))
            """)
        let total = try site.database.value(
            """
            SELECT to_char(sum(credit_hundredths) / 100.0, 'FM999,999,990.00') FROM usage_record
            """)
        let page = try open(site, expecting: "As of")
        #expect(page.credits == total)
        #expect(page.messages == "10,001")
        #expect(page.rows.count == 50)
        #expect(page.rows.first == ["2025-06-01 12:00:00.500000", "<b>&\"},{", "10001", "15.60"])
        #expect(page.complaints == [])
    }

    @Test func `says that there is nothing yet`() throws {
        let site = try Site()
        defer { site.stop() }
        let page = try open(site, expecting: "As of")
        #expect(page.credits == "0.00")
        #expect(page.messages == "0")
        #expect(page.isEmptyShown)
    }

    @Test func `says that it cannot read, and offers to try again`() throws {
        let site = try Site()
        defer { site.stop() }
        let page = try open(site, expecting: "Cannot read") { site.responder.stop() }
        #expect(
            page.state
                == "Cannot read the records: The service does not answer; it may be restarting.")
        #expect(page.canTryAgain)
        #expect(page.messages == "–")
    }
}

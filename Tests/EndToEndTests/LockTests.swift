import Postgres
import TestSupport
import Testing

/// Another transaction locks the table, as `ALTER TABLE` and `TRUNCATE` do.
@Suite(.timeLimit(.minutes(2))) struct `A locked table` {
    @Test func `holds a page and a receipt for two seconds and not for as long as the lock`() throws
    {
        let site = try Site()
        defer { site.stop() }
        try site.database.addRecords(3)
        let lock = try site.database.lockRecords()
        for path in ["/usage?limit=2", "/usage/1"] {
            let start = ContinuousClock.now
            let response = try site.curl(path)
            #expect(response.status == 503, "\(path)")
            #expect(response.fields["retry-after"] == "1")
            #expect(ContinuousClock.now - start < .seconds(5))
        }
        try lock.run("ROLLBACK")
        #expect(try site.curl("/usage?limit=2").status == 200)
    }
}

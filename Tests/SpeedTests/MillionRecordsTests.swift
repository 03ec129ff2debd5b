import Foundation
import TestSupport
import Testing
import Usage
@testable import UsageStore

@Suite(.timeLimit(.minutes(5))) struct `A million records` {
    /// The statement of a summary by days of London, as psql can prepare and execute it.
    private var daySummary: (prepare: String, execute: String) {
        get throws {
            let first = try #require(Timestamp("2024-01-01T00:00:00Z"))
            let london = [
                ("2024-01-01T00:00:00Z", 0), ("2024-03-31T01:00:00Z", 3600),
                ("2024-10-27T01:00:00Z", 0),
            ]
            let offsets = ZoneOffsets(
                try london.map {
                    ZoneOffsets.Segment(start: try #require(Timestamp($0.0)), offsetSeconds: $0.1)
                })
            let end = Timestamp(microseconds: first.microseconds + 366 * 86_400_000_000)
            var filter = UsageFilter()
            filter.from = first
            filter.to = end
            let statement = SummaryStatement(
                filter,
                buckets: ReportingPeriod(from: first, to: end, offsets: offsets).buckets(.day),
                grouping: nil)
            let values = statement.bindings.values.map { "'\($0)'" }.joined(separator: ", ")
            return ("PREPARE summary AS \(statement.text)", "EXECUTE summary (\(values))")
        }
    }

    @Test func `are answered as fast as promised`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addRecords(1_000_000)
        let uncached = try Responder(
            databaseURL: site.database.url, environment: ["CACHE_MEGABYTES": "0"])
        defer { uncached.stop() }
        let root = TemporaryFolder.shared.file("root")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: false)
        let main = try Nginx.onPort(responderPath: site.responder.socketPath, root: root)
        defer { main.program.stop() }
        let other = try Nginx.onPort(responderPath: uncached.socketPath)
        defer { other.program.stop() }
        let statement = try daySummary
        try check(
            "speed",
            [
                main.url, other.url, root.path, site.database.url, statement.prepare,
                statement.execute,
            ])
    }
}

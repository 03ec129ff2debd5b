import Foundation
import Postgres
import TestSupport
import Testing

/// What the admission gate makes true.
@Suite(.timeLimit(.minutes(2))) struct `The health paths under load` {
    /// What the probes of one path saw.
    private struct Probes {
        let longestMilliseconds: Int
        let failed: Int
    }

    /// Puts load on `target` for two seconds; what `/health/live` and `/health` did meanwhile.
    private func probes(
        _ site: Site, _ target: String, clients: Int, key: String? = nil
    ) throws -> (live: Probes, health: Probes) {
        let outcome = try Program.run(
            "/usr/bin/python3",
            [
                "-B", Repository.path("Tests/load/health_under_load.py"), site.nginx.socketPath,
                target, String(clients), "2",
            ] + [key].compactMap(\.self))
        print(outcome.output, terminator: "")
        let lines = outcome.output.matches(of: /longest (\d+) ms, waits [\d.]+ s, fails (\d+) of/)
        try #require(lines.count == 2, "\(outcome.errors)")
        let found = lines.map {
            Probes(longestMilliseconds: Int($0.1) ?? .max, failed: Int($0.2) ?? .max)
        }
        return (found[0], found[1])
    }

    @Test func `answer health/live at once while 40 readers wait for a locked table`() throws {
        let site = try Site()
        defer { site.stop() }
        // Its connections are open, so that nobody waits for one.
        _ = try probes(site, "/usage?limit=10", clients: 40)
        let lock = try site.database.lockRecords()
        let live = try probes(site, "/usage?limit=10", clients: 40).live
        try lock.run("ROLLBACK")
        #expect(live.failed == 0)
        #expect(live.longestMilliseconds <= 50)
    }

    @Test func `answer health/live at once while 40 writers wait for a frozen PostgreSQL`() throws {
        let cluster = try FreezableCluster()
        defer { cluster.stop() }
        let site = try Site(database: Database(sharing: cluster.url))
        defer { site.stop() }
        let key = try site.database.key()
        // Its key is known, so that nobody waits for the key alone.
        _ = try probes(site, "/usage", clients: 40, key: key)
        cluster.freeze()
        defer { cluster.thaw() }
        let live = try probes(site, "/usage", clients: 40, key: key).live
        #expect(live.failed == 0 && live.longestMilliseconds <= 50)
    }

    @Test func `answer health while 400 clients record messages`() throws {
        let site = try Site()
        defer { site.stop() }
        let (_, health) = try probes(
            site, "/usage", clients: 400, key: try site.database.key())
        #expect(health.failed == 0)
    }
}

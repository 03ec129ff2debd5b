import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `Recording` {
    @Test func `is as fast as promised, with every acknowledged message on disk`() throws {
        // A separate server: that of the other tests does not wait for the disk.
        let folder = TemporaryFolder.shared.file("durable").path
        let cluster = Repository.path("Tests/dev/cluster")
        #expect(try Program.run(cluster, ["start", folder]).status == 0)
        defer { _ = try? Program.run(cluster, ["stop", folder]) }
        let address = try Program.run(cluster, ["url", folder]).output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let migrated = try Program.run(
            Repository.program("orbitalctl"), ["migrate", "up"],
            environment: ["DATABASE_URL": address])
        #expect(migrated.status == 0, "\(migrated.errors)")
        let site = try Site(database: Database(sharing: address))
        defer { site.stop() }
        let (url, nginx) = try Nginx.onPort(responderPath: site.responder.socketPath)
        defer { nginx.stop() }
        try check("ingest_speed", [site.nginx.socketPath, url, address, site.database.key()])
    }

    @Test func `needs little memory and time for the worst bodies of 8 MiB`() throws {
        let site = try Site()
        defer { site.stop() }
        try check(
            "worst_bodies",
            [
                site.nginx.socketPath, site.database.key(),
                String(site.responder.program.pid),
            ])
    }

    /// Loading a vocabulary from the published file would cost each CGI process 50 ms.
    @Test func `takes a CGI request hardly longer where it counts exact tokens`() throws {
        let database = try Database()
        try database.run(
            """
            INSERT INTO credit_rate (effective_from, tokenizer, hundredths_per_100_tokens, minimum_hundredths)
            VALUES ('2022-01-01Z', 'o200k_base', 1000, 1)
            """)
        let prepared = try Program.run(
            Repository.program("orbitalctl"),
            ["tokenizers", "prepare", Repository.path(".run/tokenizers")])
        #expect(prepared.status == 0, "\(prepared.errors)")
        try check(
            "counting_cgi",
            [
                "21", "6", database.url, Repository.program("orbital-fcgi"),
                Repository.path(".run/tokenizers"),
            ])
    }
}

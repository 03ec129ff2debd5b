import Foundation
import TestSupport
import Testing

/// The API compared with models that know nothing of its code; they are written in Python.
@Suite(.timeLimit(.minutes(5))) struct `The API` {
    /// Runs a script of Tests/api, which exits with an error at the first difference.
    private func run(_ script: String, _ arguments: [String]) throws {
        let outcome = try Program.run(
            Repository.path(".build/test-tools/bin/python"),
            ["-B", Repository.path("Tests/api/\(script).py")] + arguments)
        #expect(outcome.status == 0, "\(outcome.errors.suffix(4000))")
        #expect(outcome.output.hasPrefix("measured: "))
        print(outcome.output, terminator: "")
    }

    @Test func `answers thousands of random queries as the model does, in every format`() throws {
        let site = try Site()
        defer { site.stop() }
        try run("records", [site.nginx.socketPath, site.database.url, "20261124", "400"])
    }

    @Test func `sums by local time as the model does, in fifty zones around their clock changes`()
        throws
    {
        let site = try Site()
        defer { site.stop() }
        try run("summary", [site.nginx.socketPath, site.database.url, "20261124", "2"])
    }

    @Test func `names every fault of a query, and answers none of them with a 500`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addRecords(5)
        try run("wrong_input", [site.nginx.socketPath, "20261124", "4000"])
        #expect(!site.responder.program.output.contains(" error "))
    }

    @Test func `never misses a row in 1,000 rounds of writing and reading`() throws {
        let site = try Site()
        defer { site.stop() }
        try run("freshness", [site.nginx.socketPath, site.database.url, "1000"])
    }

    @Test func `is as fresh without memory for answers`() throws {
        let site = try Site(["CACHE_MEGABYTES": "0"])
        defer { site.stop() }
        try run("freshness", [site.nginx.socketPath, site.database.url, "70"])
    }

    @Test func `lets clients keep an answer for CACHE_SECONDS`() throws {
        let site = try Site(["CACHE_SECONDS": "60"])
        defer { site.stop() }
        for _ in 1...2 {
            #expect(try site.curl("/usage").fields["cache-control"] == "max-age=60")
        }
        #expect(try site.curl("/health").fields["cache-control"] == "no-store")
    }
}

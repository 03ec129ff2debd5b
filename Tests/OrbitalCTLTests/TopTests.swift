import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `orbitalctl top` {
    private func top(_ arguments: [String]) throws -> Program.Outcome {
        try Program.run(Repository.program("orbitalctl"), ["top"] + arguments)
    }

    @Test func `reports the changes between two reads`() throws {
        let database = try Database()
        try database.addContractRecords()
        let responder = try Responder(databaseURL: database.url)
        defer { responder.stop() }
        let report = try Program(
            Repository.program("orbitalctl"),
            ["top", "--once", "--interval", "2", "--socket", responder.socketPath])
        // Sends requests until the report is complete, so that some are between the two reads.
        var isHealth = false
        while report.isRunning {
            let client = FastCGIClient(responder.socketPath)
            client.get(isHealth ? "/health" : "/usage", keepConnection: false)
            #expect(client.answer()?.hasPrefix("Status: 200 OK") == true)
            isHealth.toggle()
        }
        #expect(report.wait() == 0)
        let lines = report.output.split(separator: "\n").map(String.init)
        #expect(
            lines.map { String($0.prefix { $0 != " " }) } == [
                "health", "workers", "requests", "responses", "sent", "messages", "database",
                "process", "route", "/usage", "/health",
            ], "\(report.output)")
        #expect(lines[0].hasPrefix("health    database ok, schema ok, revision "))
        #expect(lines[1].contains("of 16 busy, 0 of 7 with long responses; queue 0 of 64;"))
        let rate = try #require(lines[2].firstMatch(of: /^requests +([0-9.]+)\/s, p50 [0-9.]+ ms/))
        #expect(try #require(Double(rate.1)) > 1)
        #expect(lines[2].contains("errors 0.0/s"))
        #expect(lines[3].contains("% cached: client 0.0 %, memory "))
        #expect(!report.output.contains("\u{1b}"))
    }

    @Test func `prints one report after another if the output is not a terminal`() throws {
        let responder = try Responder(databaseURL: Database().url)
        defer { responder.stop() }
        let top = try Program(
            Repository.program("orbitalctl"),
            ["top", "--interval", "0.2", "--socket", responder.socketPath])
        defer { top.stop() }
        #expect(eventually { top.output.components(separatedBy: "\n\nhealth ").count > 2 })
        #expect(!top.output.contains("\u{1b}"))
        // Without a terminal, top does not wait for the responder to restart.
        responder.stop()
        #expect(top.wait() == 69)
    }

    @Test func `reports a responder that does not respond`() throws {
        let outcome = try top(["--once", "--socket", "/nowhere/socket"])
        #expect(outcome.status == 69 && outcome.output.isEmpty)
        #expect(
            outcome.errors
                == "orbitalctl: the responder at /nowhere/socket is unreachable: "
                + "connect /nowhere/socket: No such file or directory\n")
    }

    @Test(arguments: ["0", "-1", "4000", "soon"])
    func `needs a valid interval`(interval: String) throws {
        #expect(try top(["--once", "--interval=\(interval)"]).status == 64)
    }
}

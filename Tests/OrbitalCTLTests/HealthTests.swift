import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `orbitalctl health` {
    private func health(_ arguments: [String]) throws -> Program.Outcome {
        try Program.run(Repository.program("orbitalctl"), ["health"] + arguments)
    }

    @Test func `prints the responder's health`() throws {
        let responder = try Responder(databaseURL: Database().url)
        defer { responder.stop() }
        for flags in [[], ["--ready"]] {
            let outcome = try health(["--socket", responder.socketPath] + flags)
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output.hasPrefix(#"{"status":"healthy","#), "\(outcome.output)")
        }
    }

    @Test func `distinguishes liveness from readiness`() throws {
        let responder = try Responder(databaseURL: Database(isMigrated: false).url)
        defer { responder.stop() }
        #expect(try health(["--socket", responder.socketPath]).status == 0)
        let outcome = try health(["--socket", responder.socketPath, "--ready"])
        #expect(outcome.status == 1)
        let fault = #"{"name":"schema","status":"unhealthy","#
        #expect(outcome.output.contains(fault), "\(outcome.output)")
    }

    @Test func `reports a responder that does not respond`() throws {
        let outcome = try health(["--socket", "/nowhere/socket"])
        #expect(outcome.status == 69 && outcome.output.isEmpty)
        #expect(
            outcome.errors
                == "orbitalctl: the responder at /nowhere/socket is unreachable: "
                + "connect /nowhere/socket: No such file or directory\n")
    }
}

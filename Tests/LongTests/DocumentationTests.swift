import Foundation
import TestSupport
import Testing

/// `/docs` and `/redoc` in a real browser; the script is in Python.
@Suite(.timeLimit(.minutes(5))) struct `The documentation pages` {
    @Test func `show and try every operation, offline, without a complaint and without a barrier`()
        throws
    {
        let site = try Site()
        defer { site.stop() }
        try site.database.addContractRecords()
        let (url, nginx) = try Nginx.onPort(responderPath: site.responder.socketPath)
        defer { nginx.stop() }
        let outcome = try Program.run(
            Repository.path(".build/test-tools/bin/python"),
            ["-B", Repository.path("Tests/browser/documentation.py"), url, site.database.key()])
        #expect(outcome.status == 0, "\(outcome.errors.suffix(4000))")
        #expect(outcome.output.hasPrefix("measured: "))
        print(outcome.output, terminator: "")
    }
}

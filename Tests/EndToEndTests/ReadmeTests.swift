import Foundation
import TestSupport
import Testing

/// The README's curl lines, run unchanged and in order; the test of `make run` runs those of the
/// quickstart on the demo.
@Suite(.timeLimit(.minutes(2))) struct `The README` {
    @Test func `shows what curl prints`() throws {
        let site = try Site()
        defer { site.stop() }
        let (url, nginx) = try Nginx.onPort(responderPath: site.responder.socketPath)
        defer { nginx.stop() }
        let examples = try ReadmeExample.all().filter { $0.command.hasPrefix("curl ") }
        let key = try site.database.key()
        #expect(examples.count >= 12)
        for example in examples {
            let address = url.dropFirst("http://".count)
            let outcome = try Program.run(
                "/bin/bash", ["-c", example.command.replacing("localhost:8000", with: address)],
                environment: ["KEY": key])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let lines = outcome.output.replacing("\r\n", with: "\n")
                .split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
            let masked = ReadmeExample.masked
            #expect(lines.map(masked) == example.output.map(masked), "\(example.command)")
            // A whole month of records would fill the screen.
            #expect(outcome.output.utf8.count < 2000, "\(example.command)")
        }
    }

    @Test func `says first that a retry without an id may charge twice, as openapi.json does`()
        throws
    {
        let text = try String(contentsOfFile: Repository.path("README.md"), encoding: .utf8)
        let warning = try #require(
            text.firstRange(
                of: "**Always send `message_id`: without it, a retry may charge twice.**"))
        let usage = try #require(text.firstRange(of: "\n## Using it\n"))
        #expect(warning.upperBound < usage.lowerBound)
        #expect(text.contains("`Idempotency-Key` is not supported yet"))
        let openapi = try String(
            contentsOfFile: Repository.path("nginx/html/openapi.json"), encoding: .utf8)
        #expect(
            openapi.contains(
                #""description": "**Always send `message_id`. Without it, a retry may charge twice**"#
            ))
        #expect(openapi.contains("`Idempotency-Key` is not supported yet"))
    }
}

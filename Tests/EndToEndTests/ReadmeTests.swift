import Foundation
import TestSupport
import Testing

/// The README's own curl lines, run as they stand.
@Suite(.timeLimit(.minutes(2))) struct `The README` {
    /// What a `$ curl` line is said to print.
    private struct Example {
        let command: String
        var output: [Substring] = []
    }

    private var examples: [Example] {
        get throws {
            let text = try String(contentsOfFile: Repository.path("README.md"), encoding: .utf8)
            var examples: [Example] = []
            var isInExample = false
            for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
                if line.hasPrefix("    $ curl ") {
                    examples.append(Example(command: String(line.dropFirst(6))))
                    isInExample = true
                } else if line.hasPrefix("    "), isInExample {
                    examples[examples.count - 1].output.append(line.dropFirst(4))
                } else {
                    isInExample = false
                }
            }
            return examples
        }
    }

    /// The revision changes from database to database; everything else is as printed.
    private func masked(_ text: some StringProtocol) -> String {
        String(text).replacing(/"revision":[0-9]+/, with: #""revision":0"#)
    }

    @Test func `shows what curl prints`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addContractRecords()
        let (url, nginx) = try Nginx.onPort(responderPath: site.responder.socketPath)
        defer { nginx.stop() }
        let examples = try examples
        let key = try site.database.key()
        #expect(examples.count >= 9)
        for example in examples {
            let address = url.dropFirst("http://".count)
            let outcome = try Program.run(
                "/bin/bash", ["-c", example.command.replacing("localhost:8000", with: address)],
                environment: ["KEY": key])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let lines = outcome.output.replacing("\r\n", with: "\n")
                .split(separator: "\n", omittingEmptySubsequences: true)
            #expect(lines.map(masked) == example.output.map(masked), "\(example.command)")
        }
    }
}

import Foundation
import TestSupport
import Testing

/// The images of `deploy/docker`, built and run for real; that takes minutes, so `make test-full` alone
/// does it.
@Suite(
    .timeLimit(.minutes(20)),
    .enabled(if: ProcessInfo.processInfo.environment["TEST_FULL"] != nil))
struct `The containers` {
    @Test func `hold the contract as compose.yaml runs them`() throws {
        let outcome = try Program.run(Repository.path("Tests/install/containers"))
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        #expect(outcome.output.hasSuffix("all is well\n"))
        for line in outcome.output.split(separator: "\n") where line.hasPrefix("measured: ") {
            print(line)
        }
    }
}

import TestSupport
import Testing

/// The images of `deploy/docker`, built and run for real; see the script.
@Suite(.timeLimit(.minutes(20))) struct `The containers` {
    @Test func `hold the contract as compose.yaml runs them`() throws {
        let outcome = try Program.install("containers")
        #expect(outcome.status == 0, "\(outcome.errors)")
    }
}

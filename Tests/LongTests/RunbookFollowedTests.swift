import TestSupport
import Testing

/// The lines of `deploy/RUNBOOK.md`, on a copy of this machine; see the scripts.
@Suite(.timeLimit(.minutes(20))) struct `The runbook, followed` {
    @Test(arguments: ["faults-inside", "restores-inside"])
    func `ends the faults that were made, and restores backups`(script: String) throws {
        let outcome = try Program.install("systemd", [script])
        #expect(outcome.status == 0, "\(outcome.errors)")
    }
}

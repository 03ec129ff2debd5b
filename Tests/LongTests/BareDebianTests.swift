import TestSupport
import Testing

/// The package on a Debian 12 that has nothing yet, Swift least of all; see the script.
@Suite(.timeLimit(.minutes(20))) struct `On a bare Debian` {
    @Test func `the package is installed, upgraded, removed and purged`() throws {
        let outcome = try Program.install("debian")
        #expect(outcome.status == 0, "\(outcome.errors)")
    }
}

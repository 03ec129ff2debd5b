import TestSupport
import Testing

/// Whether this runs as root, and not in a container without the necessary rights.
let mayMakeMachines =
    (try? Program.run(
        "/usr/bin/unshare",
        ["--mount", "--pid", "--fork", "--net", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]))?
    .status == 0

@Suite(.timeLimit(.minutes(6))) struct `A machine with systemd` {
    /// The lines of `deploy/README.md` on a copy of this machine; see the script.
    @Test(.enabled(if: mayMakeMachines, "needs the rights to make namespaces and mounts"))
    func `does what deploy/README.md says`() throws {
        let outcome = try Program.install("systemd")
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    @Test(.enabled(if: mayMakeMachines, "needs the rights to make namespaces and mounts"))
    func `does the same without the package, after make install`() throws {
        let outcome = try Program.install("boot", ["/", "make-install-inside"])
        #expect(outcome.status == 0, "\(outcome.errors)")
    }
}

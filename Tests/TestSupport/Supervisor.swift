public import Foundation

/// Systemd's part for one responder: it holds the socket and hears the notifications.
public final class Supervisor {
    /// The socket that the responder serves, and that outlives it.
    public let socketPath = TemporaryFolder.shared.file("held").path

    private let program: Program
    private let commands = Pipe()

    /// Starts a responder and waits until it says that it is ready.
    ///
    /// `isAbstract` gives it a notification socket without a file.
    public init(
        databaseURL: String, _ environment: [String: String] = [:], isAbstract: Bool = false,
        directory: URL = Repository.root
    ) throws {
        let notify = TemporaryFolder.shared.file("notify").path
        program = try Program(
            "/usr/bin/python3",
            [
                Repository.path("Tests/load/supervise.py"), socketPath,
                isAbstract ? "@\(notify)" : notify, Repository.program("orbital-fcgi"),
            ],
            environment: [
                "DATABASE_URL": databaseURL, "CONFIG_ENV": "test",
            ].merging(environment) { $1 }, directory: directory,
            input: commands.fileHandleForReading)
        precondition(wait(for: "\nready "), "no responder is ready: \(program.output)")
    }

    /// Everything that it and its responders said.
    public var output: String { program.output }

    /// The responder's process id.
    public var responderPID: Int32 {
        let line = output.split(separator: "\n").last { $0.hasPrefix("started ") } ?? ""
        return Int32(line.dropFirst("started ".count)) ?? 0
    }

    /// The notifications so far, without their sender.
    public var notifications: [String] {
        output.split(separator: "\n").filter { $0.hasPrefix("notify ") }.map {
            $0.split(separator: " ", maxSplits: 2).last.map(String.init) ?? ""
        }
    }

    /// How many signs of life came so far.
    public var pingCount: Int { notifications.count { $0 == "WATCHDOG=1" } }

    /// `restart`, `reload` or `stop`.
    public func command(_ word: String) throws {
        try commands.fileHandleForWriting.write(contentsOf: Data("\(word)\n".utf8))
    }

    /// Restarts the responder; returns when the next one is ready.
    public func restart() throws {
        let old = responderPID
        try command("restart")
        precondition(wait { $0.responderPID != old && $0.isReady }, output)
    }

    /// Reloads the responder; returns when that says that it is ready again.
    public func reload() throws {
        let count = notifications.count { $0.hasPrefix("READY=1") }
        try command("reload")
        precondition(wait { $0.notifications.count { $0.hasPrefix("READY=1") } > count }, output)
    }

    /// Ends both.
    public func stop() {
        try? command("stop")
        program.wait()
    }

    private var isReady: Bool { output.contains("\nready \(responderPID)\n") }

    private func wait(for text: String) -> Bool { wait { $0.output.contains(text) } }

    private func wait(_ condition: (Supervisor) -> Bool) -> Bool {
        eventually(seconds: 60) { condition(self) }
    }
}

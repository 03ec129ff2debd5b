public import Foundation

/// A program that a test started; its output goes to a file.
public final class Program {
    private let process = Process()
    private let log: URL

    /// What a program that has ended leaves.
    public struct Outcome: Sendable {
        /// The exit status, or the signal's number for one that was killed.
        public let status: Int32
        /// Its standard output.
        public let output: String
        /// Its standard error.
        public let errors: String
    }

    /// Starts `program`; its standard error goes to the same place as its output.
    ///
    /// `environment` is added to the test's own.
    public init(
        _ program: String, _ arguments: [String] = [], environment: [String: String] = [:],
        directory: URL = Repository.root, input: FileHandle? = .nullDevice
    ) throws {
        log = TemporaryFolder.shared.file("log")
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        let output = try FileHandle(forWritingTo: log)
        // Test threads block signals, and a program inherits that: env(1) unblocks them.
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["--default-signal", program] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.currentDirectoryURL = directory
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
    }

    /// Its process id.
    public var pid: Int32 { process.processIdentifier }

    /// Whether it has not ended.
    public var isRunning: Bool { process.isRunning }

    /// All that it has written so far.
    public var output: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    /// Sends a signal.
    public func signal(_ number: Int32) { kill(pid, number) }

    /// Waits for its end, two minutes at the most; the exit status, or the signal's number.
    ///
    /// Foundation's own wait goes on while any descendant holds a descriptor of its, for ever.
    @discardableResult
    public func wait() -> Int32 {
        var status: Int32?
        let ended = eventually(seconds: 120) {
            status = exitStatus
            return status != nil
        }
        precondition(ended, "a program does not end: \(output)")
        return status ?? -1
    }

    private var exitStatus: Int32? {
        if !process.isRunning { return process.terminationStatus }
        var information = siginfo_t()
        let options = WEXITED | WNOWAIT | WNOHANG
        guard waitid(P_PID, id_t(pid), &information, options) == 0, information.si_signo != 0
        else { return nil }
        return information._sifields._sigchld.si_status
    }

    /// Ends it with TERM and waits; with KILL after `seconds`.
    @discardableResult
    public func stop(seconds: Double = 20) -> Int32 {
        if exitStatus == nil { signal(SIGTERM) }
        if !eventually(seconds: seconds, { exitStatus != nil }) { signal(SIGKILL) }
        return wait()
    }

    /// Runs a program to its end.
    public static func run(
        _ program: String, _ arguments: [String] = [], environment: [String: String] = [:],
        input: String? = nil, directory: URL = Repository.root
    ) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.currentDirectoryURL = directory
        let errors = TemporaryFolder.shared.file("errors")
        _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
        process.standardError = try FileHandle(forWritingTo: errors)
        let output = Pipe()
        process.standardOutput = output
        if let input {
            let file = TemporaryFolder.shared.file("input")
            try Data(input.utf8).write(to: file)
            process.standardInput = try FileHandle(forReadingFrom: file)
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: String(decoding: bytes, as: UTF8.self),
            errors: try String(contentsOf: errors, encoding: .utf8))
    }
}

/// Waits until `condition` holds, asking every few milliseconds; false after `seconds`.
public func eventually(seconds: Double = 20, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + .milliseconds(Int(seconds * 1000))
    while ContinuousClock.now < deadline {
        if try condition() { return true }
        usleep(5000)
    }
    return try condition()
}

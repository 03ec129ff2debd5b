import ArgumentParser
import Configuration
import Foundation

/// A live view of the responder in the terminal.
struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what the responder is doing.",
        discussion: """
            Reads the responder's metrics on its socket, SOCKET_PATH, and shows the changes since \
            the last report. Stop it with Ctrl-C. On a terminal, each report replaces the last one.

            Exit status 69 if the responder does not respond.
            """)

    @Option(help: "Seconds between two reports, from 0.1 to 3600.") var interval = 2.0
    @Flag(help: "Measure for one interval, print one report, and exit.") var once = false
    @Option(help: "The responder's socket. (default: SOCKET_PATH)") var socket: String?

    func validate() throws {
        guard (0.1...3600).contains(interval) else {
            throw ValidationError("--interval must be a number from 0.1 to 3600.")
        }
    }

    func run() throws {
        let path = try socket ?? Settings.administrators().socketPath
        let isLive = !once && isatty(STDOUT_FILENO) == 1
        var before = try Self.samples(path)
        if isLive { Self.show("\u{1b}[2J\u{1b}[Hmeasuring …") }
        repeat {
            usleep(UInt32(interval * 1_000_000))
            do {
                let now = try Self.samples(path)
                let report = TopReport(before: before, now: now).text
                // Overwrite the screen line by line, then clear the rest: no flicker.
                let lines = report.replacingOccurrences(of: "\n", with: "\u{1b}[K\n")
                Self.show(isLive ? "\u{1b}[H\(lines)\u{1b}[J" : report + (once ? "" : "\n"))
                before = now
            } catch let failure as Failure where isLive {
                // It may be restarting.
                Self.show("\u{1b}[H\(failure.message)\u{1b}[K\n\u{1b}[J")
            }
        } while !once
    }

    /// The current metrics.
    private static func samples(_ path: String) throws -> MetricSamples {
        let response = try ResponderResponse("/metrics", at: path, [("ORBITAL_INTERNAL", "1")])
        guard response.isOK else {
            throw Failure(
                message: "the responder at \(path) returned: \(response.status)",
                status: EX_UNAVAILABLE)
        }
        return MetricSamples(response.body, at: .now)
    }

    private static func show(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
}

import ArgumentParser
import Configuration
import Foundation

/// What the responder does right now, in the terminal.
struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what the responder does right now.",
        discussion: """
            Asks the responder on its socket, SOCKET_PATH, for its metrics, and shows what changed \
            from one time to the next. Ends with Ctrl-C; where the output is no terminal, one \
            report follows the other.

            Exit status 69 when the responder does not answer.
            """)

    @Option(help: "Seconds between two looks, from 0.1 to 3600.") var interval = 2.0
    @Flag(help: "Look twice, print one report, and end.") var once = false
    @Option(help: "The responder's socket. (default: SOCKET_PATH)") var socket: String?

    func validate() throws {
        guard (0.1...3600).contains(interval) else {
            throw ValidationError("--interval must be a number from 0.1 to 3600.")
        }
    }

    func run() throws {
        try reporting {
            let path = try socket ?? Settings.administrators().socketPath
            let isLive = !once && isatty(STDOUT_FILENO) == 1
            var before = try Self.look(path)
            if isLive { Self.show("\u{1b}[2J\u{1b}[Hlooking …") }
            repeat {
                usleep(UInt32(interval * 1_000_000))
                do {
                    let now = try Self.look(path)
                    let report = TopReport(before: before, now: now).text
                    // From the top, each line to its end, then nothing below: without a flicker.
                    let lines = report.replacingOccurrences(of: "\n", with: "\u{1b}[K\n")
                    Self.show(isLive ? "\u{1b}[H\(lines)\u{1b}[J" : report + (once ? "" : "\n"))
                    before = now
                } catch let failure as Failure where isLive {
                    // It may be starting anew.
                    Self.show("\u{1b}[H\(failure.message)\u{1b}[K\n\u{1b}[J")
                }
            } while !once
        }
    }

    /// The metrics of this moment.
    private static func look(_ path: String) throws -> MetricSamples {
        let answer = try ResponderAnswer("/metrics", at: path, [("ORBITAL_INTERNAL", "1")])
        guard answer.isOK else {
            throw Failure(
                message: "the responder at \(path) answers: \(answer.status)",
                status: EX_UNAVAILABLE)
        }
        return MetricSamples(answer.body, at: .now)
    }

    private static func show(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
}

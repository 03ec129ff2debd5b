import ArgumentParser
import Configuration
import Foundation

/// The responder's health, for supervisors that run a command to learn it.
struct Health: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks the responder whether it is well.",
        discussion: """
            Asks on its socket, SOCKET_PATH, and prints what it says; needs no web server.

            Exit status 1 when it is not well, 69 when it does not answer.
            """)

    @Flag(help: "Whether it can answer requests, too: database, schema, and no stop ahead.")
    var ready = false
    @Option(help: "The responder's socket. (default: SOCKET_PATH)") var socket: String?

    func run() throws {
        try reporting {
            let answer = try ResponderAnswer(
                ready ? "/health/ready" : "/health/live",
                at: socket ?? Settings.administrators().socketPath)
            print(answer.body)
            if !answer.isOK { throw ExitCode.failure }
        }
    }
}

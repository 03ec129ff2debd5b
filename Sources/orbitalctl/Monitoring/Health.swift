import ArgumentParser
import Configuration
import Foundation

/// The responder's health, for supervisors that run a command to check it.
struct Health: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks the responder's health.",
        discussion: """
            Sends the request to the responder's socket, SOCKET_PATH, without a web server, and \
            prints the response.

            Exit status 1 if it is unhealthy, 69 if it does not respond.
            """)

    @Flag(help: "Also check readiness: database, schema, vocabularies, not shutting down.")
    var ready = false
    @Option(help: "The responder's socket. (default: SOCKET_PATH)") var socket: String?

    func run() throws {
        try reporting {
            let response = try ResponderResponse(
                ready ? "/health/ready" : "/health/live",
                at: socket ?? Settings.administrators().socketPath)
            print(response.body)
            if !response.isOK { throw ExitCode.failure }
        }
    }
}

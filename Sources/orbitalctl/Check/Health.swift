import ArgumentParser
import Configuration
import FastCGI
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
        let response = try response(
            ready ? "/health/ready" : "/health/live",
            at: socket ?? Settings.administrators().socketPath)
        print(response.body)
        if !response.isOK { throw ExitCode.failure }
    }

    /// Requests `path` from the responder at `socket`; throws a `Failure` if it does not respond.
    private func response(
        _ path: String, at socket: String
    ) throws -> (isOK: Bool, body: Substring) {
        let request = [("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", path)]
        let text: String
        do throws(FastCGIError) {
            text = String(decoding: try Client.answer(socket, request, seconds: 10), as: UTF8.self)
        } catch {
            throw unavailable("\(socket) is unreachable: \(error)")
        }
        guard let end = text.range(of: "\r\n\r\n"), text.hasPrefix("Status: ") else {
            throw unavailable("\(socket) sent an error: \(text.prefix { $0 != "\r\n" })")
        }
        return (text.hasPrefix("Status: 200 "), text[end.upperBound...])
    }

    private func unavailable(_ words: String) -> Failure {
        Failure(message: "the responder at \(words)", status: EX_UNAVAILABLE)
    }
}

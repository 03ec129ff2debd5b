import ArgumentParser
import Configuration
import FastCGI
import Foundation
import UsageStore

/// The administrator's command.
@main
struct OrbitalCTL: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "orbitalctl",
        abstract: "Administers the Orbital Usage API.",
        discussion: """
            Connects to DATABASE_URL, from the environment or from the configuration file of \
            CONFIG_ENV: deploy/config/NAME.env or /etc/orbital-usage/NAME.env. If neither variable \
            is set, it reads /etc/orbital-usage/production.env, if that exists.

            Exit status: 0 success, 1 problems found (rejected lines, differences, faults), 64 wrong \
            command line, 65 invalid or refused input, 66 missing input or vocabulary, 69 database \
            or responder unavailable, 70 internal error, 73 an output file cannot be created, 74 a \
            file cannot be read or written, 78 wrong configuration.
            """,
        version: version,
        subcommands: [
            Migrate.self, Keys.self, Rates.self, Import.self, Export.self, Correct.self, Close.self,
            Verify.self, Budgets.self, Notify.self,
            Drift.self, Recount.self, Erase.self, Rollup.self, Revision.self, TokenizerFiles.self,
            Check.self, Health.self,
        ])

    static func main() {
        fillStandardDescriptors()
        do {
            var command = try parseAsRoot()
            try reporting { try command.run() }
        } catch {
            exit(withError: error)
        }
    }
}

/// A fatal error of a command: one sentence for standard error, and the exit status.
struct Failure: Error {
    let message: String
    let status: Int32
}

extension Failure {
    /// `attempt` failed with the system's last error.
    init(_ attempt: String, errno code: Int32 = errno, status: Int32) {
        self.init(message: "\(attempt): \(String(cString: strerror(code)))", status: status)
    }
}

/// Runs a command; turns each error into one sentence and an exit status.
func reporting(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let failure as Failure {
        try end(failure.message, failure.status)
    } catch let error as SettingsError {
        try end(error.description, EX_CONFIG)
    } catch let error as AdministrationFault {
        try end(error.description, EX_DATAERR)
    } catch let error as DatabaseUnavailable {
        let remedy = error.remedy.map { "\nremedy: \($0)" } ?? ""
        try end("the database is unavailable: \(error)\(remedy)", EX_UNAVAILABLE)
    } catch let error as TokenizerUnavailable {
        try end("\(error)\n\(error.remedy)", EX_NOINPUT)
    } catch let error as ExitCode {
        throw error
    } catch  where OrbitalCTL.exitCode(for: error) == .success {
        // A request for help.
        throw error
    } catch let error as CocoaError {
        try end(error.localizedDescription, EX_IOERR)
    } catch {
        try end(String(describing: error), EX_SOFTWARE)
    }
}

private func end(_ message: String, _ status: Int32) throws -> Never {
    for line in message.split(separator: "\n") { note("orbitalctl: \(line)") }
    throw ExitCode(status)
}

/// Writes one line to standard error; ignores write errors.
func note(_ line: String) {
    try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
}

/// `count` with its noun: `1 record`, `2 records`.
func counted(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
}

import ArgumentParser
import Configuration
import Foundation
import UsageStore

/// Checks everything that the service needs, and says how to fix each fault.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Checks configuration, database, schema, keys, rates, socket, nginx and certificate.",
        discussion: "Exit status 1 when something is wrong; each fault comes with its remedy.")

    @Option(help: "Where the site has TLS, whose certificate is looked at.")
    var tls = "https://127.0.0.1"

    func run() throws {
        try reporting {
            var report = Report()
            do throws(SettingsError) {
                let settings = try Settings.administrators()
                report.well(
                    "configuration", "\(settings.environment), \(settings.workers) workers")
                for warning in settings.warnings { report.notice("configuration", warning) }
                checkDatabase(settings, &report)
                checkSocket(settings, &report)
                checkSite(settings, &report, tls: tls)
                checkCertificate("\(tls)/health/live", &report)
            } catch {
                for fault in error.faults {
                    report.fault(
                        "configuration", fault, remedy: "correct it there, or in the environment")
                }
            }
            if report.hasFaults { throw ExitCode.failure }
        }
    }
}

/// Prints one line for each question, and a second one with the remedy for a fault.
struct Report {
    private(set) var hasFaults = false

    func well(_ what: String, _ words: String) { print("ok     \(what): \(words)") }

    func notice(_ what: String, _ words: String) { print("NOTICE \(what): \(words)") }

    mutating func fault(_ what: String, _ words: String, remedy: String) {
        print("FAULT  \(what): \(words)\n       remedy: \(remedy)")
        hasFaults = true
    }
}

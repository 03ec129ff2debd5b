import ArgumentParser
import Configuration
import UsageStore

/// Checks everything that the service needs, and reports how to fix each fault.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Checks configuration, database, schema, keys, rates, socket, nginx and certificate.",
        discussion: "Says how to fix each fault. Exit status 1 if there is a fault.")

    @Option(help: "The site whose certificate is checked.")
    var tls = "https://127.0.0.1"

    func run() throws {
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
                    "configuration", fault,
                    remedy: "correct it in the configuration file or the environment")
            }
        }
        if report.hasFaults { throw ExitCode.failure }
    }
}

/// Prints one line for each check; a fault has a second line with the remedy.
struct Report {
    private(set) var hasFaults = false

    func well(_ what: String, _ result: String) { print("ok     \(what): \(result)") }

    func notice(_ what: String, _ text: String) { print("NOTICE \(what): \(text)") }

    mutating func fault(_ what: String, _ text: String, remedy: String) {
        print("FAULT  \(what): \(text)\n       remedy: \(remedy)")
        hasFaults = true
    }
}

import ArgumentParser
import Configuration
import Encoding
import FastCGI
import Foundation
import UsageStore

/// Checks everything that the service needs, and reports how to fix each fault.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Checks configuration, database, schema, keys, rates, socket, nginx and certificate.",
        discussion: "Says how to fix each fault. Exit status 1 if there is a fault.")

    @Option(help: "The site whose certificate is checked.")
    var tls = "https://127.0.0.1"
    @OptionGroup var format: ListFormat

    func run() throws {
        var report = Report(format: format)
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
        report.end()
        if report.hasFaults { throw ExitCode.failure }
    }
}

/// The result of each check, with a remedy for a fault.
struct Report {
    let format: ListFormat
    private(set) var hasFaults = false

    /// The results that have not been printed.
    private var results: [(status: String, check: String, text: String, remedy: String?)] = []

    init(format: ListFormat) { self.format = format }

    mutating func well(_ what: String, _ result: String) { add("ok", what, result) }

    mutating func notice(_ what: String, _ text: String) { add("NOTICE", what, text) }

    mutating func fault(_ what: String, _ text: String, remedy: String) {
        add("FAULT", what, text, remedy)
        hasFaults = true
    }

    /// Prints the array; lines are printed as soon as they are known.
    mutating func end() {
        if format.json { flush() }
    }

    private mutating func add(
        _ status: String, _ check: String, _ text: String, _ remedy: String? = nil
    ) {
        results.append((status, check, text, remedy))
        if !format.json { flush() }
    }

    private mutating func flush() {
        format.show(results) { result in
            let status = result.status.padding(toLength: 6, withPad: " ", startingAt: 0)
            let remedy = result.remedy.map { "\n       remedy: \($0)" } ?? ""
            return "\(status) \(result.check): \(result.text)\(remedy)"
        } members: { result, json in
            json.member("status", result.status.lowercased())
            json.member("check", result.check)
            json.member("text", result.text)
            json.member("remedy", result.remedy, isQuoted: true)
        }
        results = []
    }
}

extension Check {
    /// Checks that the responder accepts connections on its socket.
    func checkSocket(_ settings: Settings, _ report: inout Report) {
        do throws(FastCGIError) {
            try Listener.probe(settings.socketPath)
            report.well("socket", "\(settings.socketPath) accepts connections")
        } catch {
            report.fault(
                "socket", error.description,
                remedy: error.code == EACCES
                    ? "run this as root or as a member of the socket's group"
                    : "start the responder: orbital-fcgi --socket \(settings.socketPath)")
        }
    }

    /// Requests `/health/live` from the website.
    func checkSite(_ settings: Settings, _ report: inout Report, tls: String) {
        let programs = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx"]
        guard programs.contains(where: FileManager.default.isExecutableFile) else {
            return report.fault(
                "nginx", "not installed", remedy: "apt-get install nginx, or serve as CGI")
        }
        // A site with TLS redirects to it, or has no other port.
        let places = ["http://127.0.0.1:\(settings.port)", tls]
        let responses = places.map { place in
            (url: "\(place)/health/live", code: status(of: "\(place)/health/live"))
        }
        let (url, code) = responses.first { $0.code == "200" } ?? responses[0]
        switch code {
        case nil:
            report.fault(
                "nginx", "curl is not installed to check \(url)", remedy: "apt-get install curl")
        case "200": report.well("nginx", "\(url) is healthy")
        case "404":
            report.fault(
                "nginx", "\(url) returns status 404: another site has this port",
                remedy: "remove nginx's default site, or set PORT to the port in orbital.conf")
        case "000":
            report.fault(
                "nginx", "no response from \(url)",
                remedy: "start nginx with nginx/orbital.conf, or set PORT to its port")
        case let code?:
            report.fault(
                "nginx", "\(url) returns status \(code)",
                remedy: "compare the path in snippets/orbital-upstream.conf with SOCKET_PATH")
        }
    }

    /// Reports when nginx's certificate expires; nothing without a certificate.
    func checkCertificate(_ url: String, _ report: inout Report, at now: Date = Date()) {
        guard let text = curl(["-sk", "-m", "5", "-o", "/dev/null", "-w", "%{certs}", url]),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Expire date:") })
        else { return }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = .gmt
        format.dateFormat = "MMM d HH:mm:ss yyyy zzz"
        let words = line.dropFirst("Expire date:".count).split(separator: " ")
        guard let end = format.date(from: words.joined(separator: " ")) else { return }
        let day = end.formatted(.iso8601.year().month().day())
        if end > now + 14 * 86_400 { return report.well("certificate", "valid until \(day)") }
        report.fault(
            "certificate", "\(end > now ? "expires" : "expired") on \(day)",
            remedy: "renew it, then: sudo systemctl reload nginx.service")
    }

    /// The status of a GET by curl, `000` without a response; nil without curl.
    ///
    /// Does not verify the certificate, which has the site's name and not this address.
    private func status(of url: String) -> String? {
        curl(["-skL", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", url])
    }

    /// The output of curl; nil without curl.
    private func curl(_ arguments: [String]) -> String? {
        let curl = Process()
        curl.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        curl.arguments = arguments
        let output = Pipe()
        curl.standardOutput = output
        guard (try? curl.run()) != nil else { return nil }
        let text = output.fileHandleForReading.readDataToEndOfFile()
        curl.waitUntilExit()
        return String(decoding: text, as: UTF8.self)
    }
}

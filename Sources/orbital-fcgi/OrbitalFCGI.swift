import Configuration
import FastCGI
import Glibc
import Logging
import UsageStore

/// The responder: configure, listen, work, drain.
@main
enum OrbitalFCGI {
    static func main() {
        fillStandardDescriptors()
        do throws(UsageError) {
            switch try CommandLineOptions(CommandLine.arguments.dropFirst()) {
            case .help: print(CommandLineOptions.helpText)
            case .version: print("orbital-fcgi \(version)")
            case .serve(let socketFlag): exit(serve(socketFlag: socketFlag))
            }
        } catch {
            fail(error.description, code: EX_USAGE)
        }
    }

    private static func serve(socketFlag: String?) -> Int32 {
        let mode = StartMode(socketFlag: socketFlag, environment: processEnvironment)
        guard let mode else {
            fail(
                "no socket to serve: use --socket PATH, or start from systemd, spawn-fcgi or a "
                    + "CGI server; see --help", code: EX_USAGE)
        }
        do {
            if mode == .cgi { return runCGI(try Settings.load(export: exportToProcess)) }
            // Before the first thread, and before anything that could start one.
            Signals.block()
            return try runServer(mode, try Settings.load(export: exportToProcess))
        } catch let error as SettingsError {
            // Standard error of a CGI program goes to the web server's error log.
            fail(error.description, code: EX_CONFIG)
        } catch {
            fail(String(describing: error), code: EX_OSERR)
        }
    }
}

/// Handles the one request of a CGI process; returns the exit status.
func runCGI(_ settings: Settings) -> Int32 {
    var settings = settings
    // No later request would read the cache.
    settings.cacheMegabytes = 0
    let options = settings.logOptions
    let output = LogOutput(options)
    // The program must exit even if the web server does not read standard error.
    defer { output.finish(within: .seconds(1)) }
    let exchange = CGIExchange()
    let generation = Generation(settings, Admission(workers: 1))
    let metrics = ProcessMetrics(droppedLogLines: output.dropped)
    let log = makeLog(output)
    var responder = Responder(generation, server: nil, metrics: metrics, log: log)
    responder.respond(to: exchange)
    mergeRollups(generation, metrics, log)
    return exchange.isAborted ? 1 : 0
}

/// Writes one line to standard error and exits.
func fail(_ message: String, code: Int32) -> Never {
    let line = message.split(separator: "\n").map { "orbital-fcgi: \($0)\n" }.joined()
    let output = LogOutput(LogOptions(level: .error, isJSON: false))
    output.add(Array(line.utf8))
    output.finish(within: .seconds(1))
    exit(code)
}

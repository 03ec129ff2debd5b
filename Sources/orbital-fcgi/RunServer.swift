import Configuration
import FastCGI
import HTTP
import Logging
import UsageAPI
import UsageStore

/// Serves until a signal requests a drain; returns the exit status.
func runServer(_ mode: StartMode, _ settings: Settings) throws -> Int32 {
    returnLargeMemory()
    let current = CurrentSettings(
        settings, Admission(workers: settings.workers, reserved: settings.reservedWorkers))
    let output = LogOutput(settings.logOptions)
    defer { output.finish(within: .seconds(1)) }
    let log = makeLog(output)
    logWarnings(of: settings, to: log)
    let listener = try Listener(mode)
    let refusal = Problem.unavailable("Too many requests are waiting.", retryAfterSeconds: 1)
        .response(instance: nil, requestID: nil)
    let manager = ServiceManager(processEnvironment)
    let server = try Server(
        listener: listener, limits: ServerLimits(settings), refusal: refusal.wholeBytes,
        paths: UrgentPaths(urgent: "/health", live: "/health/live"),
        onFileLoss: { reportFileLoss($0, mode, log) })
    let metrics = ProcessMetrics(droppedLogLines: output.dropped)
    try server.start {
        var worker = Worker(current: current, server: server, metrics: metrics, log: log)
        return { worker.respond(to: $0) }
    }
    if let interval = manager.watchdogInterval {
        try server.probeItself("/health/live", every: interval) { response in
            if response.hasPrefix("Status: 200 ") { manager.alive() }
        }
    }
    let merger = RollupMerger(current, log)
    log.info("serving", metadata: ["workers": "\(settings.workers)", "mode": "\(mode)"])
    let serving = "serving with \(settings.workers) workers"
    manager.ready(serving)
    waitForDrain(current, output, log, manager, serving)
    merger.stop()
    log.info("draining", metadata: ["seconds": "\(settings.drainSeconds)"])
    manager.stopping("finishing accepted requests", within: settings.drainSeconds + 10)
    guard server.drain(seconds: settings.drainSeconds) else {
        log.error("some requests did not end in time and were aborted")
        return 1
    }
    log.info("stopped")
    return server.isUnreachable ? 1 : 0
}

/// Logs that the socket's file was removed, and shuts down if it could not be created again.
private func reportFileLoss(_ error: FastCGIError?, _ mode: StartMode, _ log: Logger) {
    guard let error else {
        log.warning(
            "the socket file was removed or replaced; created it again",
            metadata: ["mode": "\(mode)"])
        return
    }
    log.error(
        "the socket file was removed or replaced and could not be created again; shutting down",
        metadata: ["mode": "\(mode)", "error": "\(error)"])
    Signals.requestDrain()
}

/// One thread's responder, which is replaced after a reload.
private struct Worker {
    let current: CurrentSettings
    let server: Server
    let metrics: ProcessMetrics
    let log: Logger

    var replacementCount: Int?
    var responder: Responder?

    mutating func respond(to exchange: any Exchange) {
        let latest = current.replacementCount
        if replacementCount != latest {
            // The count first: a replacement in between is noticed by the next request.
            replacementCount = latest
            responder = Responder(current.generation, server: server, metrics: metrics, log: log)
        }
        responder?.respond(to: exchange)
    }
}

/// Handles signals until one requests a drain.
private func waitForDrain(
    _ current: CurrentSettings, _ output: LogOutput, _ log: Logger, _ manager: ServiceManager,
    _ serving: String
) {
    var isDebugSwitched = false
    func useLogOptions() {
        var options = current.generation.settings.logOptions
        if isDebugSwitched { options.level = .debug }
        output.use(options)
    }
    while true {
        switch Signals.next() {
        case .drain: return
        case .switchLogLevel:
            isDebugSwitched.toggle()
            useLogOptions()
            log.notice("log level switched", metadata: ["to": "\(output.level)"])
        case .reload:
            manager.reloading()
            do throws(SettingsError) {
                let settings = try Settings.load()
                let closed = current.replace(with: settings)
                useLogOptions()
                logWarnings(of: settings, to: log)
                log.notice("configuration reloaded")
                log.debug("idle connections closed", metadata: ["disconnects": "\(closed)"])
                manager.ready(serving)
            } catch {
                let faults = error.faults.joined(separator: "; ")
                log.error("configuration not reloaded", metadata: ["faults": "\(faults)"])
                manager.ready("\(serving); configuration not reloaded: \(error)")
            }
        }
    }
}

/// Logs the warnings of a valid configuration.
private func logWarnings(of configuration: Settings, to log: Logger) {
    for warning in configuration.warnings {
        log.warning("configuration", metadata: ["warning": "\(warning)"])
    }
}

extension Listener {
    fileprivate init(_ mode: StartMode) throws {
        switch mode {
        case .socket(let path): try self.init(path: path)
        case .inherited(let descriptor): try self.init(inherited: descriptor)
        case .cgi: preconditionFailure("a CGI program has no listener")
        }
    }
}

extension ServerLimits {
    fileprivate init(_ settings: Settings) {
        self.init()
        workers = settings.workers
        queued = settings.queueLimit
        connections = settings.connectionLimit
        readSeconds = settings.clientWaitSeconds
    }
}

extension Response {
    fileprivate var wholeBytes: [UInt8] {
        guard case .bytes(let bytes) = body else { return head }
        return head + bytes
    }
}

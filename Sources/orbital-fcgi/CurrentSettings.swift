import Configuration
import Logging
import Synchronization
import UsageAPI
import UsageStore

/// The settings in force, and what all workers remember of the database that they name.
final class Generation: Sendable {
    let settings: Settings
    let cache: ResponseCache
    let shared: SharedState

    init(_ settings: Settings, _ admission: Admission) {
        self.settings = settings
        shared = SharedState(
            admission: admission,
            tokenizers: Tokenizers(directory: settings.tokenizerDirectory))
        cache = ResponseCache(byteLimit: settings.cacheMegabytes << 20)
    }
}

/// The generation in force, which a signal may replace while workers read it.
final class CurrentSettings: Sendable {
    private struct State {
        var generation: Generation
        var isDebugSwitched = false
    }

    private let admission: Admission
    private let state: Mutex<State>

    init(_ settings: Settings, _ admission: Admission) {
        self.admission = admission
        state = Mutex(State(generation: Generation(settings, admission)))
    }

    var generation: Generation { state.withLock { $0.generation } }

    var logOptions: LogOptions {
        state.withLock { state in
            var options = state.generation.settings.logOptions
            if state.isDebugSwitched { options.level = .debug }
            return options
        }
    }

    /// Puts new settings in force; the limits of the server stay until a restart.
    func replace(with settings: Settings) {
        let generation = Generation(settings, admission)
        let old = state.withLock { state in
            defer { state.generation = generation }
            return state.generation
        }
        // An idle worker keeps the old one, and with it would keep memory and connections.
        old.cache.empty()
        old.shared.close()
    }

    func switchDebug() { state.withLock { $0.isDebugSwitched.toggle() } }
}

extension Settings {
    /// What is logged, and how.
    var logOptions: LogOptions {
        let level: Logger.Level =
            switch logLevel {
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
        return LogOptions(level: level, isJSON: logFormat == .json)
    }
}

import Configuration
import Logging
import Synchronization
import UsageAPI
import UsageStore

/// Settings, with the state that workers share while these settings are active.
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

/// The active generation, which a signal may replace while workers use it.
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

    /// Activates new settings; the limits of the server change only at a restart.
    func replace(with settings: Settings) {
        let generation = Generation(settings, admission)
        let old = state.withLock { state in
            defer { state.generation = generation }
            return state.generation
        }
        // An idle worker still references the old generation, with its memory and connections.
        old.cache.empty()
        old.shared.close()
    }

    func switchDebug() { state.withLock { $0.isDebugSwitched.toggle() } }
}

extension Settings {
    /// The level and the format of log lines.
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

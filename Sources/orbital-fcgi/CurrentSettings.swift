import Configuration
import Logging
import Synchronization

/// The settings in force, which a signal may replace while workers read them.
final class CurrentSettings: Sendable {
    private struct State {
        var settings: Settings
        var generation = 0
        var isDebugSwitched = false
    }

    private let state: Mutex<State>

    init(_ settings: Settings) { state = Mutex(State(settings: settings)) }

    var settings: Settings { state.withLock { $0.settings } }

    /// Changes with every replacement.
    var generation: Int { state.withLock { $0.generation } }

    var level: Logger.Level {
        state.withLock { $0.isDebugSwitched ? .debug : $0.settings.level }
    }

    /// Puts new settings in force; the limits of the server stay until a restart.
    func replace(with settings: Settings) {
        state.withLock { state in
            state.settings = settings
            state.generation += 1
        }
    }

    func switchDebug() { state.withLock { $0.isDebugSwitched.toggle() } }
}

extension Settings {
    /// The configured log level.
    var level: Logger.Level { Logger.Level(rawValue: logLevel) ?? .info }
}

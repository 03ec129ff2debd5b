import Configuration
import Logging
import Synchronization
import Threads
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
            tokenizers: Tokenizers(directory: settings.tokenizerDirectory),
            attributionLimit: settings.attributionLimit,
            storesTexts: settings.storeText != .off)
        cache = ResponseCache(byteLimit: settings.cacheMegabytes << 20)
    }
}

/// The active generation, which a signal may replace while workers use it.
final class CurrentSettings: Sendable {
    private let admission: Admission
    private let active: Lock<Generation>
    private let count = Atomic(0)

    init(_ settings: Settings, _ admission: Admission) {
        self.admission = admission
        active = Lock(Generation(settings, admission))
    }

    var generation: Generation { active.withLock { $0 } }

    /// Increases with every replacement, so that a request need not lock: with sixteen workers on
    /// two cores, waiting for the lock took a quarter of their time.
    var replacementCount: Int { count.load(ordering: .acquiring) }

    /// Activates new settings; returns how many idle connections to the database were closed.
    ///
    /// The limits of the server change only at a restart.
    func replace(with settings: Settings) -> Int {
        let generation = Generation(settings, admission)
        let old = active.withLock { active in
            defer { active = generation }
            return active
        }
        count.add(1, ordering: .releasing)
        // An idle worker still references the old generation, with its memory and connections.
        old.cache.empty()
        return old.shared.close()
    }
}

extension Settings {
    /// The level and the format of log lines.
    var logOptions: LogOptions {
        LogOptions(
            level: Logger.Level(rawValue: logLevel.rawValue) ?? .info, isJSON: logFormat == .json)
    }
}

import Configuration
import Logging
import Metrics
import Threads
import UsageAPI
import UsageStore

/// Merges rollups in the background, on a thread and a connection of its own.
final class RollupMerger {
    private let stopping = Handoff<Void>()

    /// Time between two merges.
    private static let interval = Duration.seconds(5)

    /// The longest time until the next attempt after failures.
    private static let longestDelay = Duration.seconds(300)

    /// The time until zones are built again whose clocks have changed.
    private static let rebuildInterval = Duration.seconds(600)

    /// Starts the thread; without one, `orbitalctl rollup merge` or other processes merge.
    init(_ current: CurrentSettings, _ log: Logger) {
        let code = startThread { [stopping] in
            var merging = Merging(current: current, log: log)
            var delay = Self.interval
            while stopping.wait(until: .now + delay) == nil {
                delay = merging.merge() ? Self.interval : min(delay * 2, Self.longestDelay)
            }
        }
        if code != 0 { log.warning("no thread merges rollups", metadata: ["errno": "\(code)"]) }
    }

    /// Ends the thread after the current merge, which commits or rolls back as a whole.
    func stop() { stopping.give(()) }

    /// The state of the thread.
    private struct Merging {
        let current: CurrentSettings
        let log: Logger

        /// The store, while there is work.
        private var store: UsageStore?
        private var rebuiltAt: ContinuousClock.Instant?

        init(current: CurrentSettings, log: Logger) {
            self.current = current
            self.log = log
        }

        /// Merges all deltas; false if that failed.
        mutating func merge() -> Bool {
            let store = store ?? makeStore(waitSeconds: 60)
            defer { store.release() }
            do {
                let count = try store.mergeRollups()
                // Without work, the connection is closed.
                self.store = count > 0 ? store : nil
                if count > 0 { log.debug("rollups merged", metadata: ["deltas": "\(count)"]) }
                try rebuild(store)
                return true
            } catch {
                self.store = nil
                // Requests report an unavailable database.
                let level: Logger.Level = error is DatabaseUnavailable ? .debug : .warning
                log.log(
                    level: level, "rollups were not merged", metadata: ["error": "\(error)"])
                return false
            }
        }

        /// Builds the zones again whose clocks have changed: until then, their sums read the records.
        private mutating func rebuild(_ store: UsageStore) throws {
            if let rebuiltAt, rebuiltAt + RollupMerger.rebuildInterval > .now { return }
            for zone in try store.changedZones() {
                rebuiltAt = .now
                log.notice("the clocks of a zone have changed", metadata: ["zone": "\(zone)"])
                let builder = makeStore(waitSeconds: 3600)
                defer { builder.release() }
                try builder.rebuildRollups(zone: zone) { _ in }
            }
        }

        private func makeStore(waitSeconds: Int) -> UsageStore {
            UsageStore(
                databaseURL: current.generation.settings.databaseURL,
                applicationName: "orbital-fcgi rollups", waitSeconds: waitSeconds)
        }
    }
}

/// Merges rollups after a CGI process has recorded messages, if many deltas wait: no thread does.
func mergeRollups(_ generation: Generation, _ metrics: ProcessMetrics, _ log: Logger) {
    guard metrics.service.created.total > 0 else { return }
    let settings = generation.settings
    let store = UsageStore(
        databaseURL: settings.databaseURL, applicationName: "orbital-fcgi",
        waitSeconds: settings.databaseWaitSeconds, shared: generation.shared)
    defer { store.release() }
    do {
        try store.mergeManyRollups()
    } catch {
        log.warning("rollups were not merged", metadata: ["error": "\(error)"])
    }
}

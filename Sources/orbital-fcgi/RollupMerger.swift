import Configuration
import Logging
import Metrics
import Threads
import UsageAPI
import UsageStore

/// Merges rollups in the background, on a thread and a connection of its own.
final class RollupMerger {
    private let stopping = Handoff<Void>()

    /// Time until the next merge, while there is work.
    private static let interval = Duration.milliseconds(500)

    /// The longest time until the next look without work.
    private static let idleInterval = Duration.seconds(5)

    /// The longest time until the next attempt after failures.
    private static let longestDelay = Duration.seconds(300)

    /// The time until it looks again whether zones must be built.
    private static let buildInterval = Duration.seconds(600)

    /// How many deltas are merged until those are removed.
    private static let vacuumLimit = 20_000

    /// Starts the thread; without one, `orbitalctl rollup merge` or other processes merge.
    init(_ current: CurrentSettings, _ log: Logger) {
        let code = startThread { [stopping] in
            var merging = Merging(current: current, log: log)
            var delay = Self.interval
            while stopping.wait(until: .now + delay) == nil {
                switch merging.merge() {
                case nil: delay = min(delay * 2, Self.longestDelay)
                case 0: delay = min(delay * 2, Self.idleInterval)
                default: delay = Self.interval
                }
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
        private var lookedAt: ContinuousClock.Instant?
        private var mergedCount = 0

        init(current: CurrentSettings, log: Logger) {
            self.current = current
            self.log = log
        }

        /// Merges the deltas that wait, and returns their number; nil if that failed.
        mutating func merge() -> Int? {
            let store = store ?? makeStore(waitSeconds: 60)
            defer { store.release() }
            do {
                // In its turn: where others always wait, it would otherwise never merge.
                let count = try store.mergeRollups(waits: true)
                // Without work, the connection is closed.
                self.store = count > 0 ? store : nil
                if count > 0 { log.debug("rollups merged", metadata: ["deltas": "\(count)"]) }
                mergedCount += count
                if mergedCount > RollupMerger.vacuumLimit {
                    mergedCount = 0
                    try store.vacuumDeltas()
                }
                try build(store)
                return count
            } catch {
                self.store = nil
                // Requests report an unavailable database.
                let level: Logger.Level = error is DatabaseUnavailable ? .debug : .warning
                log.log(
                    level: level, "rollups were not merged", metadata: ["error": "\(error)"])
                return nil
            }
        }

        /// Builds the zones whose clocks have changed, or that nobody builds any more: until then, sums
        /// in them read records.
        private mutating func build(_ store: UsageStore) throws {
            if let lookedAt, lookedAt + RollupMerger.buildInterval > .now { return }
            lookedAt = .now
            for zone in try store.zonesToBuild() {
                log.notice("the sums of a zone are built", metadata: ["zone": "\(zone)"])
                let builder = makeStore(waitSeconds: 3600)
                defer { builder.release() }
                try builder.rebuildRollups(zone: zone, resumes: true) { _ in }
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

import CFastCGI
import Glibc

/// What systemd, or who plays its part, wants to hear of this process; silent without one.
public struct ServiceManager: Sendable {
    private let socket: NotifySocket?

    /// How often it wants a sign of life; nil when it does not watch.
    public let watchdogInterval: Duration?

    /// Finds the manager in the environment that it gave the process.
    public init(_ environment: (String) -> String?) {
        socket = NotifySocket(environment)
        watchdogInterval = Self.watchdogInterval(environment)
    }

    /// Requests are answered from now on.
    public func ready(_ status: String) { send("READY=1", "STATUS=\(status)") }

    /// The configuration is being read; `ready` must follow.
    public func reloading() {
        // systemd holds the reload's begin against its own clock (Type=notify-reload).
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1000
        send("RELOADING=1", "MONOTONIC_USEC=\(microseconds)", "STATUS=reloading")
    }

    /// The process ends, after `seconds` at the most.
    public func stopping(_ status: String, within seconds: Int) {
        // Whatever the unit's TimeoutStopSec is: the configuration knows better.
        send("STOPPING=1", "STATUS=\(status)", "EXTEND_TIMEOUT_USEC=\(seconds * 1_000_000)")
    }

    /// Workers answer.
    public func alive() { send("WATCHDOG=1") }

    private func send(_ assignments: String...) { socket?.send(assignments) }

    /// A quarter of the time after which the manager acts, sd_watchdog_enabled(3).
    ///
    /// systemd advises half of it; the other quarter is what all workers may be busy for.
    private static func watchdogInterval(_ environment: (String) -> String?) -> Duration? {
        guard let limit = environment("WATCHDOG_USEC").flatMap({ Int($0) }), limit > 0 else {
            return nil
        }
        let watched = environment("WATCHDOG_PID") ?? String(getpid())
        return watched == String(getpid()) ? .microseconds(limit) / 4 : nil
    }
}

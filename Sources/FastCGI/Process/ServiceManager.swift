import Glibc

/// Reports the state of this process to systemd or a compatible service manager, if there is one.
public struct ServiceManager: Sendable {
    private let socket: NotifySocket?

    /// How often it expects a watchdog notification; nil if it has no watchdog.
    public let watchdogInterval: Duration?

    /// Finds the manager in the process environment.
    public init(_ environment: (String) -> String?) {
        socket = NotifySocket(environment)
        watchdogInterval = Self.watchdogInterval(environment)
    }

    /// Reports that requests are served from now on.
    public func ready(_ status: String) { send("READY=1", "STATUS=\(status)") }

    /// Reports that the configuration is being read; `ready` must follow.
    public func reloading() {
        // systemd compares it with its own clock (Type=notify-reload).
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1000
        send("RELOADING=1", "MONOTONIC_USEC=\(microseconds)", "STATUS=reloading")
    }

    /// Reports that the process exits within `seconds`.
    public func stopping(_ status: String, within seconds: Int) {
        // Overrides the unit's TimeoutStopSec, which may be shorter than DRAIN_SECONDS.
        send("STOPPING=1", "STATUS=\(status)", "EXTEND_TIMEOUT_USEC=\(seconds * 1_000_000)")
    }

    /// Reports that workers respond.
    public func alive() { send("WATCHDOG=1") }

    private func send(_ assignments: String...) { socket?.send(assignments) }

    /// A quarter of the watchdog timeout, sd_watchdog_enabled(3).
    ///
    /// systemd recommends half of it; the other quarter allows for all workers being busy.
    private static func watchdogInterval(_ environment: (String) -> String?) -> Duration? {
        guard let limit = environment("WATCHDOG_USEC").flatMap({ Int($0) }), limit > 0 else {
            return nil
        }
        let watched = environment("WATCHDOG_PID") ?? String(getpid())
        return watched == String(getpid()) ? .microseconds(limit) / 4 : nil
    }
}

/// The service manager's notification socket, sd_notify(3).
///
/// Implemented here, because libsystemd would be one more library for one `sendto`.
struct NotifySocket: Sendable {
    private let descriptor: Int32
    private let address: UnixAddress

    /// The socket that `NOTIFY_SOCKET` names: a path, or `@` and an abstract name.
    ///
    /// Nil if the variable is not set.
    init?(_ environment: (String) -> String?) {
        guard let name = environment("NOTIFY_SOCKET") else { return nil }
        let address =
            switch name.utf8.first {
            case UInt8(ascii: "/"): UnixAddress(path: name)
            case UInt8(ascii: "@"): UnixAddress(abstractName: String(name.dropFirst()))
            default: UnixAddress?.none
            }
        guard let address else { return nil }
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { return nil }
        self.address = address
        // A manager that does not read must not block a thread for long.
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Sends assignments such as `READY=1`, all in one datagram.
    ///
    /// Failures are ignored: the manager detects missing notifications itself.
    func send(_ assignments: [String]) {
        // One line each; the address is passed each time, because a manager may be replaced.
        let lines = assignments.map { $0.replacing("\n", with: "; ") }
        let bytes = Array(lines.joined(separator: "\n").utf8)
        _ = address.with { sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, $1) }
    }
}

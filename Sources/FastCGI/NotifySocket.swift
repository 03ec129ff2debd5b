import CFastCGI
import Glibc

/// The service manager's socket for news of this process: the datagrams of sd_notify(3).
///
/// They are spoken here, because libsystemd would be one more library for one `sendto`.
public struct NotifySocket: Sendable {
    private let descriptor: Int32
    private let address: UnixAddress

    /// The socket that `NOTIFY_SOCKET` names: a path, or `@` and an abstract name.
    ///
    /// Nil when there is none, because nobody wants to know.
    public init?(_ environment: (String) -> String?) {
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
        // A manager that does not read must not hold up a worker for long.
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Sends assignments such as `READY=1`, all in one datagram.
    ///
    /// A failure has no consequence here: the manager notices what it does not hear.
    public func send(_ assignments: [String]) {
        // One line each; the address is given each time, since a manager may be replaced.
        let lines = assignments.map { $0.replacing("\n", with: "; ") }
        let bytes = Array(lines.joined(separator: "\n").utf8)
        _ = address.with { sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, $1) }
    }
}

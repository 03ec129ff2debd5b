import CFastCGI
import Glibc

/// How the process serves.
public enum StartMode: Equatable, Sendable {
    /// Creates its own Unix socket at this path.
    case socket(path: String)

    /// Serves a listening socket that a supervisor opened; never unlinks or shuts it down.
    case inherited(descriptor: Int32)

    /// Handles the one request in the environment, then exits.
    case cgi

    /// Decides in a fixed order: the flag, systemd, a listening descriptor 0, the CGI environment.
    ///
    /// Without `FCGX_IsCGI`, which takes `/dev/null` for CGI and a reset TCP stdin for FastCGI.
    public init?(
        socketFlag: String?, environment: (String) -> String?,
        isListening: (Int32) -> Bool = isListening
    ) {
        if let socketFlag {
            self = .socket(path: socketFlag)
        } else if let descriptor = Self.systemdDescriptor(environment) {
            self = .inherited(descriptor: descriptor)
        } else if isListening(FCGI_LISTENSOCK_FILENO) {
            self = .inherited(descriptor: FCGI_LISTENSOCK_FILENO)
        } else if let method = environment("REQUEST_METHOD"), !method.isEmpty {
            self = .cgi
        } else {
            return nil
        }
    }

    /// The first descriptor that systemd passes, sd_listen_fds(3).
    private static func systemdDescriptor(_ environment: (String) -> String?) -> Int32? {
        guard environment("LISTEN_PID") == String(getpid()),
            let count = environment("LISTEN_FDS").flatMap({ Int($0) }), count >= 1
        else { return nil }
        return 3
    }
}

/// Whether `descriptor` is a socket that accepts connections.
public func isListening(_ descriptor: Int32) -> Bool {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    let answer = getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &size)
    return answer == 0 && value == 1
}

/// Makes glibc return large allocations, such as request bodies, to the system once they are freed.
///
/// By default, glibc raises its mmap threshold to the size of each large allocation that is freed,
/// and keeps freed allocations below the threshold.
public func returnLargeMemory() {
    mallopt(M_MMAP_THRESHOLD, 256 * 1024)
}

/// Opens `/dev/null` in place of each standard descriptor that is closed, so that no file or socket
/// opened later gets its number, and with it what is printed or logged.
///
/// Reading from it or writing to it fails, as it would if it were closed. The FastCGI specification
/// lets a server close standard output and standard error.
public func fillStandardDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
        // The lowest free number is this one.
        _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
}

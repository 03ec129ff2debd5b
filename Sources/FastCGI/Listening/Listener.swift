import Glibc
import Threads

/// A listening socket: our own, or one inherited from a supervisor.
public struct Listener: Sendable {
    /// The non-blocking, close-on-exec descriptor.
    let descriptor: Int32

    /// The socket's file; nil for an inherited socket.
    private let file: SocketFile?

    /// As long as in `orbital-usage.socket`; nginx sends a 502 when it is full.
    private static let backlog: Int32 = 4096

    /// Binds `path` with mode 0660, replacing the socket that a killed process left.
    ///
    /// Not by `FCGX_OpenSocket`, which unlinks any existing file and calls `exit` if it cannot bind.
    /// Throws `EADDRINUSE` if another process listens there, `EEXIST` if the path is not a socket, `ENAMETOOLONG` above 107 bytes (unix(7)).
    public init(path: String) throws(FastCGIError) {
        descriptor = try Self.listeningSocket(path)
        file = try SocketFile(path: path)
    }

    private static func listeningSocket(_ path: String) throws(FastCGIError) -> Int32 {
        try removeStale(path)
        return try makeSocket { descriptor throws(FastCGIError) in
            // The inode takes the socket's mode, so that it is never more permissive than this.
            guard fchmod(descriptor, 0o660) == 0 else { throw FastCGIError("chmod \(path)") }
            guard try withAddress(path, { bind(descriptor, $0, $1) }) == 0 else {
                throw FastCGIError("bind \(path)")
            }
            guard chmod(path, 0o660) == 0 else { throw FastCGIError("chmod \(path)") }
            guard listen(descriptor, backlog) == 0 else { throw FastCGIError("listen \(path)") }
        }
    }

    /// Serves a socket that a supervisor opened and will pass to the next process, too.
    public init(inherited descriptor: Int32) throws(FastCGIError) {
        guard isListening(descriptor) else {
            throw FastCGIError("descriptor \(descriptor)", EINVAL)
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        self.descriptor = descriptor
        file = nil
    }

    /// Whether other processes may accept from this socket after us.
    var isInherited: Bool { file == nil }

    /// Makes new connections fail with "no such file"; those in the backlog stay.
    func removePath() {
        if let file, file.isOurs() { unlink(file.path) }
    }

    /// Creates the socket's file again if it was removed or replaced; false when it was not.
    ///
    /// After that, `descriptor` refers to a new socket. `acceptAll` is called before the old one is
    /// closed, because closing it resets the connections in its backlog. Throws `EADDRINUSE` when
    /// another process listens at the path.
    func recreateFile(_ acceptAll: () -> Void) throws(FastCGIError) -> Bool {
        guard let file, !file.isOurs() else { return false }
        let new = try Self.listeningSocket(file.path)
        defer { close(new) }
        try file.adopt()
        acceptAll()
        guard dup2(new, descriptor) >= 0 else { throw FastCGIError("dup2") }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return true
    }

    /// Connects to `path` and disconnects; throws if that fails.
    public static func probe(_ path: String) throws(FastCGIError) {
        close(try connection(to: path))
    }

    /// Connects to `path`; a non-blocking descriptor that the caller must close.
    static func connection(to path: String) throws(FastCGIError) -> Int32 {
        try makeSocket { descriptor throws(FastCGIError) in
            guard try withAddress(path, { connect(descriptor, $0, $1) }) == 0 else {
                throw FastCGIError("connect \(path)")
            }
        }
    }

    /// Makes a socket and calls `setUp`; closes it if that throws.
    private static func makeSocket(
        _ setUp: (Int32) throws(FastCGIError) -> Void
    ) throws(FastCGIError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw FastCGIError("socket") }
        do throws(FastCGIError) {
            try setUp(descriptor)
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func removeStale(_ path: String) throws(FastCGIError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw FastCGIError("bind \(path)", EEXIST)
        }
        do throws(FastCGIError) {
            try probe(path)
        } catch {
            // EAGAIN: another process listens there, and its backlog is full.
            guard error.code == ECONNREFUSED else {
                throw error.code == EAGAIN ? FastCGIError("bind \(path)", EADDRINUSE) : error
            }
            unlink(path)
            return
        }
        throw FastCGIError("bind \(path)", EADDRINUSE)
    }
}

/// Calls `body` with `path` as a socket address.
private func withAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
) throws(FastCGIError) -> Int32 {
    guard let address = UnixAddress(path: path) else {
        throw FastCGIError("bind \(path)", ENAMETOOLONG)
    }
    return address.with(body)
}

/// The file of a socket that this process created; others may remove or replace it meanwhile.
final class SocketFile: Sendable {
    /// The path.
    let path: String

    /// The file as last seen, whose inode is not reused while the socket is open.
    private let seen: Lock<stat>

    /// Assumes that the file at `path` is that of our socket.
    init(path: String) throws(FastCGIError) {
        self.path = path
        seen = Lock(try Self.status(path))
    }

    /// Whether the file at the path is still that of our socket; remembers its owner and mode.
    func isOurs() -> Bool {
        guard let status = try? Self.status(path) else { return false }
        return seen.withLock { seen in
            guard seen.st_dev == status.st_dev, seen.st_ino == status.st_ino else { return false }
            seen = status
            return true
        }
    }

    /// Takes the new file at the path as ours, and gives it the owner and the mode of the old one.
    func adopt() throws(FastCGIError) {
        let old = seen.withLock { $0 }
        // Fails for a group that this process is not in: then the file keeps the process's group.
        _ = lchown(path, old.st_uid, old.st_gid)
        guard chmod(path, old.st_mode & 0o777) == 0 else { throw FastCGIError("chmod \(path)") }
        let new = try Self.status(path)
        seen.withLock { $0 = new }
    }

    private static func status(_ path: String) throws(FastCGIError) -> stat {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw FastCGIError("stat \(path)") }
        return status
    }
}

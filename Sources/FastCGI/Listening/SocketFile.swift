import Glibc
import Threads

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

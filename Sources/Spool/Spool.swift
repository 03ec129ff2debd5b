import Glibc
import Synchronization

/// A directory of files that the web server sends in the process's stead.
///
/// No name is used twice: whoever opens one too late finds nothing, and never something else.
public final class Spool: Sendable {
    private struct State {
        var byteCount = 0
        var fileCount = 0
        var retired: [RetiredFile] = []
    }

    private struct RetiredFile {
        let name: String
        let byteCount: Int
        let until: ContinuousClock.Instant
    }

    private let directory: String
    private let folder: SpoolFolder
    /// The most that its files may take.
    public let byteLimit: Int

    private let state = Mutex(State())

    /// How long a file stays after its last use: the web server may be about to open it.
    private static var grace: Duration { .seconds(10) }

    /// Makes a spool of at most `byteLimit` bytes in `directory`, beside those of other processes.
    ///
    /// Removes what processes that have ended left there.
    public init(directory: String, byteLimit: Int) throws(SpoolError) {
        self.directory = directory
        self.byteLimit = byteLimit
        if mkdir(directory, 0o750) != 0 && errno != EEXIST {
            throw SpoolError("mkdir \(directory)")
        }
        SpoolFolder.removeStale(in: directory)
        folder = try SpoolFolder(in: directory)
    }

    /// What its files take, in bytes.
    public var byteCount: Int { state.withLock { $0.byteCount } }

    /// Begins a new file.
    public func writer() throws(SpoolError) -> SpoolWriter {
        removeRetired()
        let number = state.withLock { state in
            state.fileCount += 1
            return state.fileCount
        }
        let name = "\(folder.name)/\(number)"
        let descriptor = open(
            "\(directory)/\(name)", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw SpoolError("open \(directory)/\(name)") }
        return SpoolWriter(self, name: name, descriptor: descriptor)
    }

    /// Sets bytes aside; false when there is no room for them.
    func reserve(_ count: Int) -> Bool {
        state.withLock { state in
            guard state.byteCount + count <= byteLimit else { return false }
            state.byteCount += count
            return true
        }
    }

    /// Has a file removed, now or when nobody can be about to open it any more.
    func remove(_ name: String, byteCount: Int, isKnown: Bool) {
        guard isKnown else {
            unlink("\(directory)/\(name)")
            return state.withLock { $0.byteCount -= byteCount }
        }
        let file = RetiredFile(name: name, byteCount: byteCount, until: .now + Self.grace)
        state.withLock { $0.retired.append(file) }
        removeRetired()
    }

    private func removeRetired() {
        let due = state.withLock { state in
            let count = state.retired.prefix { $0.until < .now }.count
            defer { state.retired.removeFirst(count) }
            return state.retired.prefix(count)
        }
        guard !due.isEmpty else { return }
        for file in due { unlink("\(directory)/\(file.name)") }
        state.withLock { $0.byteCount -= due.reduce(0) { $0 + $1.byteCount } }
    }
}

/// What went wrong with a spool's files.
public struct SpoolError: Error, CustomStringConvertible {
    /// The call and the system's words.
    public let description: String

    init(_ call: String) { description = "\(call): \(String(cString: strerror(errno)))" }
}

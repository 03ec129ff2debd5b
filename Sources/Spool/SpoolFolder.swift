import Glibc

/// One process's folder in a spool's directory, locked while the process lives.
struct SpoolFolder {
    /// Its name in the directory.
    let name: String

    private static let lockName = "lock"

    /// Makes a folder under a new name.
    init(in directory: String) throws(SpoolError) {
        name = String(UInt64.random(in: .min ... .max), radix: 36)
        // Under its name only once it is locked: without a lock it would be stale.
        let hidden = "\(directory)/.\(name)"
        guard mkdir(hidden, 0o750) == 0 else { throw SpoolError("mkdir \(hidden)") }
        let lock = open("\(hidden)/\(Self.lockName)", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0,
            rename(hidden, "\(directory)/\(name)") == 0
        else { throw SpoolError("lock \(hidden)") }
    }

    /// Removes the folders whose processes have ended.
    static func removeStale(in directory: String) {
        for folder in entries(of: directory).map({ "\(directory)/\($0)" }) {
            let lock = open("\(folder)/\(lockName)", O_RDWR | O_CLOEXEC)
            guard lock >= 0 else { continue }
            defer { close(lock) }
            guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { continue }
            for file in entries(of: folder) { unlink("\(folder)/\(file)") }
            rmdir(folder)
        }
    }

    /// The names in a directory but for hidden ones; none when it cannot be read.
    private static func entries(of directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}

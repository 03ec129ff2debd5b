import Glibc

/// An existing settings file.
struct SettingsFile {
    private let path: String
    private let file: EnvironmentFile

    /// Reads the first of `paths` that exists; nil when none does.
    init?(first paths: [String]) throws(SettingsError) {
        for path in paths {
            guard let text = try contents(of: path) else { continue }
            self.path = path
            file = EnvironmentFile(text)
            return
        }
        return nil
    }

    /// The faults of its lines and keys, each with file and line.
    var faults: [String] {
        let known = Set(
            SettingsKey.all.map(\.name) + SettingsKey.removed.map(\.name) + LibpqVariables.all)
        let unknown = file.assignments.filter { !known.contains($0.key) }.map { key, assignment in
            (line: assignment.line, text: "\(key) is not a known setting")
        }
        return (file.faults + unknown).sorted { $0.line < $1.line }
            .map { "\(place($0.line)): \($0.text)" }
    }

    /// The value of `key` and its line; nil if it is not set or empty.
    func value(_ key: String) -> (value: String, place: String)? {
        guard let assignment = file.assignments[key], !assignment.value.isEmpty else { return nil }
        return (assignment.value, place(assignment.line))
    }

    /// The file and line of `key`, even if its value is empty; nil if it is not set.
    func place(of key: String) -> String? { file.assignments[key].map { place($0.line) } }

    private func place(_ line: Int) -> String { "\(path) line \(line)" }
}

/// The text of a file of less than 64 KiB; nil if it does not exist.
private func contents(of path: String) throws(SettingsError) -> String? {
    guard let file = fopen(path, "re") else {
        if errno == ENOENT || isOutOfSight(path) { return nil }
        let remedy = errno == EACCES ? "; run this as root or as the user orbital-usage" : ""
        throw SettingsError(faults: ["\(path): \(String(cString: strerror(errno)))\(remedy)"])
    }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 64 * 1024)
    let count = fread(&bytes, 1, bytes.count, file)
    guard ferror(file) == 0, count < bytes.count else {
        throw SettingsError(faults: ["\(path): not a text file of less than 64 KiB"])
    }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
}

/// Whether `path` is relative to a current directory without search permission, as after `sudo -u`.
private func isOutOfSight(_ path: String) -> Bool {
    !path.hasPrefix("/") && errno == EACCES && access(path, F_OK) != 0 && errno == EACCES
}

import Glibc

extension Settings {
    /// Reads the file that `CONFIG_ENV` picks, then the environment over it.
    ///
    /// It is the first that is there: in production `installed`, and else that of the repository in
    /// which the program runs. None counts as empty. Throws every fault at once.
    public static func load(
        environment: (String) -> String? = processEnvironment,
        repository: String = "deploy/config", installed: String = "/etc/orbital-usage"
    ) throws(SettingsError) -> Settings {
        let name = environment("CONFIG_ENV") ?? "development"
        guard ["development", "production", "test"].contains(name) else {
            throw SettingsError(faults: ["CONFIG_ENV must be development, production or test"])
        }
        var faults: [String] = []
        var values: [String: String] = [:]
        // An administrator may stand in anybody's directory.
        let directories =
            name == "production" ? [installed, repository] : [repository, installed]
        for path in directories.map({ "\($0)/\(name).env" }) {
            guard let text = try contents(of: path) else { continue }
            let file = EnvironmentFile(text)
            values = file.values
            faults = file.faults.map { "\(path): \($0)" }
            let known = Set(SettingsKey.all.map(\.name))
            faults += values.keys.filter { !known.contains($0) }.sorted()
                .map { "\(path): \($0) is no key of this service" }
            break
        }
        var settings = Settings()
        // A production without a file must not be open by mistake.
        if name == "production" { settings.access = "keyed" }
        for key in SettingsKey.all {
            guard let value = environment(key.name) ?? values[key.name] else { continue }
            if let fault = key.store(value, &settings) { faults.append(fault) }
        }
        if settings.reservedWorkers >= settings.workers, settings.workers > 1 {
            faults.append("RESERVED_WORKERS must be less than WORKERS")
        }
        guard faults.isEmpty else { throw SettingsError(faults: faults) }
        return settings
    }
}

/// What is wrong with the configuration, in sentences for its administrator.
public struct SettingsError: Error, CustomStringConvertible {
    /// Every fault that was found.
    public let faults: [String]

    /// The faults, one a line.
    public var description: String { faults.joined(separator: "\n") }
}

/// A variable of the process's environment; nil when it is not set.
public func processEnvironment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}

/// The text of a file of less than 64 KiB; nil when there is none.
private func contents(of path: String) throws(SettingsError) -> String? {
    guard let file = fopen(path, "re") else {
        if errno == ENOENT || isOutOfSight(path) { return nil }
        throw SettingsError(faults: ["\(path): \(String(cString: strerror(errno)))"])
    }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 64 * 1024)
    let count = fread(&bytes, 1, bytes.count, file)
    guard ferror(file) == 0, count < bytes.count else {
        throw SettingsError(faults: ["\(path): it is no text file of less than 64 KiB"])
    }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
}

/// Whether `path` is below a current directory that may not be looked into, as after `sudo -u`.
private func isOutOfSight(_ path: String) -> Bool {
    !path.hasPrefix("/") && errno == EACCES && access(path, F_OK) != 0 && errno == EACCES
}

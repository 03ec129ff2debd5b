import Glibc

extension Settings {
    /// Reads the file that `CONFIG_ENV` selects; environment variables override it.
    ///
    /// In production, a file in `installed` comes first; otherwise, one of the repository in which
    /// the program runs. A missing file counts as empty. An administrator's command without
    /// `CONFIG_ENV` and `DATABASE_URL` uses the installed production, if there is one. `export`
    /// gets libpq's variables that are in the file but not in the environment. Throws all faults
    /// together.
    public static func load(
        environment lookUp: (String) -> String? = processEnvironment,
        forAdministrator: Bool = false, export: (String, String) -> Void = { _, _ in },
        repository: String = "deploy/config", installed: String = "/etc/orbital-usage"
    ) throws(SettingsError) -> Settings {
        // An empty variable counts as unset.
        func variable(_ name: String) -> String? { lookUp(name).flatMap { $0.isEmpty ? nil : $0 } }
        let isProduction =
            forAdministrator && variable("DATABASE_URL") == nil
            && Glibc.access("\(installed)/production.env", F_OK) == 0
        let name = variable("CONFIG_ENV") ?? (isProduction ? "production" : "development")
        guard let environment = Environment(rawValue: name) else {
            throw SettingsError(faults: ["CONFIG_ENV must be \(SettingsKey.list(Environment.self))"]
            )
        }
        // An administrator's current directory may be anybody's.
        let directories =
            environment == .production ? [installed, repository] : [repository, installed]
        var settings = Settings()
        settings.environment = environment
        // Without a file, production must not be open by mistake.
        if environment == .production { settings.access = .keyed }
        let file = try SettingsFile(first: directories.map { "\($0)/\(name).env" })
        var faults = file?.faults ?? []
        if isSet(LibpqVariables.ofServer, in: file, variable) {
            // The default URL would override them.
            settings.databaseURL = "postgresql://"
        }
        for key in SettingsKey.all {
            if let value = variable(key.name) {
                if let fault = key.store(value, &settings) { faults.append(fault) }
            } else if let file, let (value, place) = file.value(key.name) {
                if let fault = key.store(value, &settings) { faults.append("\(place): \(fault)") }
            }
        }
        if settings.reservedWorkers >= settings.workers, settings.workers > 1 {
            faults.append("RESERVED_WORKERS must be less than WORKERS")
        }
        guard faults.isEmpty else { throw SettingsError(faults: faults) }
        for (name, version) in SettingsKey.removed {
            let text = "\(name) was removed in version \(version) and has no effect"
            if lookUp(name) != nil { settings.warnings.append(text) }
            if let place = file?.place(of: name) { settings.warnings.append("\(place): \(text)") }
        }
        for name in LibpqVariables.all where variable(name) == nil {
            if let (value, _) = file?.value(name) { export(name, value) }
        }
        return settings
    }

    private static func isSet(
        _ names: [String], in file: SettingsFile?, _ variable: (String) -> String?
    ) -> Bool {
        names.contains { variable($0) != nil || file?.value($0) != nil }
    }
}

/// The faults of the configuration, for its administrator.
public struct SettingsError: Error, CustomStringConvertible {
    /// All faults that were found.
    public let faults: [String]

    /// The faults, one per line.
    public var description: String { faults.joined(separator: "\n") }
}

/// A variable of the process environment; nil if it is not set.
public func processEnvironment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}

/// Sets a variable of the process environment; safe only before other threads exist.
public func exportToProcess(_ name: String, _ value: String) { setenv(name, value, 1) }

/// The variables that libpq reads (https://www.postgresql.org/docs/current/libpq-envars.html).
enum LibpqVariables {
    /// The variables that select a server or a database.
    static let ofServer = ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"]

    static let all =
        ofServer + [
            "PGPORT", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGREQUIREAUTH", "PGCHANNELBINDING",
            "PGSERVICEFILE", "PGOPTIONS", "PGAPPNAME", "PGSSLMODE", "PGREQUIRESSL",
            "PGSSLCOMPRESSION", "PGSSLCERT", "PGSSLKEY", "PGSSLCERTMODE", "PGSSLROOTCERT",
            "PGSSLCRL", "PGSSLCRLDIR", "PGSSLSNI", "PGREQUIREPEER", "PGSSLMINPROTOCOLVERSION",
            "PGSSLMAXPROTOCOLVERSION", "PGGSSENCMODE", "PGKRBSRVNAME", "PGGSSLIB",
            "PGGSSDELEGATION", "PGCONNECT_TIMEOUT", "PGCLIENTENCODING", "PGTARGETSESSIONATTRS",
            "PGLOADBALANCEHOSTS", "PGDATESTYLE", "PGTZ", "PGGEQO", "PGSYSCONFDIR", "PGLOCALEDIR",
        ]
}

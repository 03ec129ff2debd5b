import Configuration
import UsageStore

/// The store of the configured database.
func administratorsStore() throws -> UsageStore {
    administratorsStore(try Settings.administrators())
}

/// The store of the database of `settings`.
func administratorsStore(_ settings: Settings) -> UsageStore {
    UsageStore(
        databaseURL: settings.databaseURL, applicationName: "orbitalctl",
        waitSeconds: settings.databaseWaitSeconds)
}

/// A store for a command that may read all records: each statement has an hour.
func longStore(_ command: String, _ settings: Settings? = nil) throws -> UsageStore {
    UsageStore(
        databaseURL: try (settings ?? .administrators()).databaseURL,
        applicationName: "orbitalctl \(command)", waitSeconds: 3600)
}

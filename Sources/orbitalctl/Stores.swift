import Configuration
import Foundation
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

/// Throws a `Failure` unless `name` is a time zone.
func requireZone(_ name: String, _ store: UsageStore) throws {
    if try store.isZone(name) { return }
    let similar = try store.zone(like: name).map { " Did you mean \($0)?" } ?? ""
    throw Failure(
        message: "--tz must be an IANA time zone, such as Europe/London.\(similar)",
        status: EX_USAGE)
}

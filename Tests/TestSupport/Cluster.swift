import Foundation
public import Postgres
import UsageStore

/// A real PostgreSQL server, made and started once for all tests of a run.
public final class Cluster: Sendable {
    /// The server of this run.
    public static let shared = Cluster()

    private let folder = TemporaryFolder.shared.url.appendingPathComponent("postgres")
    private let urlPrefix: String
    private let urlSuffix: String

    private init() {
        _ = TemporaryFolder.shared
        let url = Cluster.script("url", folder)
        let parts = url.split(separator: "/orbital?", maxSplits: 1)
        urlPrefix = parts.first.map(String.init) ?? url
        urlSuffix = parts.count == 2 ? "?" + parts[1] : ""
        start()
        // Before the folder goes: handlers run in the reverse order of their registration.
        atexit { Cluster.shared.stop() }
        let connection = self.connection("orbital")
        _ = try? connection.run("CREATE DATABASE migrated")
        Cluster.migrate(self.url("migrated"))
    }

    /// Starts the server after `stop`.
    public func start() {
        _ = Cluster.script("start", folder, ["fsync=off", "max_connections=200"])
    }

    /// Stops the server, ending all connections.
    public func stop() { _ = Cluster.script("stop", folder) }

    /// The connection URI of a database.
    public func url(_ database: String) -> String { "\(urlPrefix)/\(database)\(urlSuffix)" }

    /// A new connection to a database.
    public func connection(_ database: String) -> Connection {
        do {
            return try Connection(
                url: url(database), applicationName: "tests", waitSeconds: 120)
        } catch {
            preconditionFailure("the test server does not answer: \(error)")
        }
    }

    private static func script(
        _ action: String, _ folder: URL, _ arguments: [String] = []
    ) -> String {
        do {
            let outcome = try Program.run(
                Repository.path("Tests/dev/cluster"), [action, folder.path] + arguments)
            precondition(outcome.status == 0, "cluster \(action): \(outcome.errors)")
            return outcome.output.trimmingCharacters(in: .whitespacesAndNewlines)
        } catch {
            preconditionFailure("cluster \(action): \(error)")
        }
    }

    private static func migrate(_ url: String) {
        do {
            _ = try MigrationRunner(databaseURL: url).up(Migrations.all()) { _ in }
        } catch {
            preconditionFailure("the migrations fail: \(error)")
        }
    }
}

import ArgumentParser
import Configuration
import Encoding
import Foundation
import UsageStore

/// Applies and reverts migrations.
struct Migrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Applies, reverts, lists and creates schema migrations.",
        discussion: "The migration files also work with dbmate.",
        subcommands: [Up.self, Down.self, Status.self, New.self], defaultSubcommand: Up.self)
}

/// Where the migration files are.
struct MigrationFiles: ParsableArguments {
    @Option(name: .customLong("migrations"), help: "The directory of the migration files.")
    var directory: String?

    /// The given directory; by default the first that exists of the repository's and the installed
    /// one, in the opposite order in production.
    var path: String {
        var places = ["Migrations", "/usr/share/orbital-usage/migrations"]
        let settings = try? Settings.administrators()
        if settings?.environment == .production { places.reverse() }
        return directory ?? places.first(where: FileManager.default.fileExists) ?? places[1]
    }

    /// Reads all files, ordered by name.
    func migrations() throws -> [Migration] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw Failure(
                message: "the directory of migrations, \(path), does not exist", status: EX_NOINPUT)
        }
        let migrations = try names.filter { $0.hasSuffix(".sql") }.sorted().map { name in
            try Migration(
                fileName: name, text: String(contentsOfFile: "\(path)/\(name)", encoding: .utf8))
        }
        let twins = zip(migrations, migrations.dropFirst()).first { $0.version == $1.version }
        if let (first, second) = twins {
            throw Failure(
                message: "\(first.fileName) and \(second.fileName) have the same number",
                status: EX_DATAERR)
        }
        return migrations
    }

    /// Connects to the configured database.
    func runner() throws -> MigrationRunner {
        try MigrationRunner(databaseURL: Settings.administrators().databaseURL)
    }
}

extension Migrate {
    struct Up: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Applies pending migrations.")
        @OptionGroup var files: MigrationFiles

        func run() throws {
            let migrations = try files.migrations()
            let runner = try files.runner()
            runner.onProgress { note("orbitalctl: \($0)") }
            let count = try runner.up(migrations) { print("applying \($0.fileName)") }
            if count == 0 { print("the schema is up to date") }
        }
    }

    struct Down: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reverts the last migration and deletes the data in its tables.")
        @OptionGroup var files: MigrationFiles

        func run() throws {
            let migrations = try files.migrations()
            let undone = try files.runner().down(migrations)
            print(undone.map { "reverted \($0.fileName)" } ?? "no migration is applied")
        }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows which migrations are applied; fails if one is pending or has changed.")
        @OptionGroup var files: MigrationFiles
        @OptionGroup var format: ListFormat

        func run() throws {
            let migrations = try files.migrations()
            let runner = try files.runner()
            let states = try runner.states(of: migrations)
            let unknown = try runner.unknownVersions(migrations)
            let rows: [(state: String, version: String, file: String?)] =
                states.map {
                    let state = $0.isChanged ? "CHANGED" : $0.isApplied ? "applied" : "pending"
                    return (state, $0.migration.version, $0.migration.fileName)
                } + unknown.map { ("NO FILE", $0, nil) }
            format.show(rows) {
                "\($0.state)  \($0.file ?? $0.version)"
            } members: { row, json in
                json.member("state", row.state.lowercased())
                json.member("version", row.version)
                json.member("file", row.file, isQuoted: true)
            }
            if !unknown.isEmpty || states.contains(where: { !$0.isApplied || $0.isChanged }) {
                throw ExitCode.failure
            }
        }
    }

    struct New: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Creates an empty migration file with the next number.")
        @OptionGroup var files: MigrationFiles
        @Argument(help: "What the migration does, in a few words.") var description: String

        func run() throws {
            let last = try files.migrations().last.flatMap { Int($0.version) } ?? 0
            let words = description.lowercased().split {
                !($0.isASCII && ($0.isLetter || $0.isNumber))
            }
            guard !words.isEmpty else {
                throw Failure(
                    message: "the description must have a letter or digit", status: EX_USAGE)
            }
            let number = String(format: "%04d", last + 1)
            let path = "\(files.path)/\(number)_\(words.joined(separator: "_")).sql"
            let text = "-- migrate:up\n\n\n-- migrate:down\n\n"
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            print(path)
        }
    }
}

import Configuration
import Foundation
import TestSupport
import Testing

@Suite struct `The settings` {
    private func load(_ environment: [String: String], file: String? = nil) throws -> Settings {
        let folder = TemporaryFolder.shared.file("config")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        if let file {
            try file.write(
                to: folder.appendingPathComponent("development.env"), atomically: true,
                encoding: .utf8)
        }
        return try Settings.load(
            environment: { environment[$0] }, repository: folder.path, installed: folder.path)
    }

    private func faults(_ environment: [String: String], file: String? = nil) -> [String] {
        do {
            _ = try load(environment, file: file)
            return []
        } catch {
            return (error as? SettingsError)?.faults ?? ["\(error)"]
        }
    }

    @Test func `have a default for every key`() throws {
        #expect(try load([:]) == Settings())
    }

    @Test func `come from the file, and from the environment over it`() throws {
        let settings = try load(
            ["WORKERS": "4"],
            file:
                "# a comment\n\nWORKERS=16\nLOG_LEVEL=\"debug\"\nDATABASE_URL='host=/tmp dbname=orbital'\n"
        )
        #expect(settings.workers == 4)
        #expect(settings.logLevel == .debug)
        #expect(settings.databaseURL == "host=/tmp dbname=orbital")
    }

    @Test func `have texts stored, or not, or for some days`() throws {
        #expect(try load([:]).storeText == .on)
        for (value, expected) in [
            ("on", Settings.StoreText.on), ("off", .off), ("1", .days(1)), ("36500", .days(36_500)),
        ] {
            #expect(try load(["STORE_TEXT": value]).storeText == expected)
        }
        for value in ["0", "36501", "ON", "30d", "1.5", "-1"] {
            #expect(
                faults(["STORE_TEXT": value]) == [
                    "STORE_TEXT must be on, off or a number of days from 1 to 36500"
                ])
        }
    }

    @Test func `name every fault at once`() {
        let file = "WORKERS 16\nWROKERS=3\n"
        let found = faults(
            [
                "PORT": "0", "LOG_LEVEL": "loud", "DATABASE_URL": "orbital", "LOG_FORMAT": "xml",
                "SLOW_MILLISECONDS": "-1",
            ], file: file)
        #expect(found.count == 7)
        #expect(found[0].hasSuffix("development.env line 1: expected KEY=value"))
        #expect(
            found[1].hasSuffix("development.env line 2: WROKERS is not a known setting"))
        #expect(
            found.suffix(5) == [
                "DATABASE_URL must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or libpq's keywords (host=HOST dbname=DATABASE user=USER)",
                "LOG_LEVEL must be debug, info, warning or error",
                "LOG_FORMAT must be text or json",
                "SLOW_MILLISECONDS must be a number from 0 to 3600000",
                "PORT must be a number from 1 to 65535",
            ])
    }

    @Test(arguments: [
        "\u{feff}DATABASE_URL=postgresql:///orbital\nWORKERS=8\n",
        "DATABASE_URL=postgresql:///orbital # mine\nWORKERS=8 # threads\n",
        "export DATABASE_URL=postgresql:///orbital\r\nexport WORKERS=8\r\n",
        "DATABASE_URL = \"postgresql:///orbital\" # mine\nWORKERS='8'\nLOG_LEVEL=\n",
    ])
    func `are read from a file with a byte order mark, comments after values or export`(
        file: String
    ) throws {
        let settings = try load(["WORKERS": ""], file: file)
        #expect(settings.databaseURL == "postgresql:///orbital")
        #expect(settings.workers == 8)
        #expect(settings.logLevel == .info)
    }

    @Test func `hand libpq's own variables on, which the environment overrides`() throws {
        let folder = TemporaryFolder.shared.file("config")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try "PGHOST=/tmp\nPGPASSWORD=secret\nPGPORT=1\n".write(
            to: folder.appendingPathComponent("development.env"), atomically: true, encoding: .utf8)
        var exported: [String: String] = [:]
        let settings = try Settings.load(
            environment: { $0 == "PGPORT" ? "2" : nil }, export: { exported[$0] = $1 },
            repository: folder.path, installed: folder.path)
        #expect(exported == ["PGHOST": "/tmp", "PGPASSWORD": "secret"])
        #expect(settings.databaseURL == "postgresql://")
    }

    @Test
    func `are production's for an administrator where that is installed, and nothing is named`()
        throws
    {
        let folder = TemporaryFolder.shared.file("config")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try "DATABASE_URL=postgresql:///installed\n".write(
            to: folder.appendingPathComponent("production.env"), atomically: true, encoding: .utf8)
        func name(_ environment: [String: String], isAdministrator: Bool) throws -> String {
            try Settings.load(
                environment: { environment[$0] }, forAdministrator: isAdministrator,
                repository: folder.path, installed: folder.path
            ).environment.rawValue
        }
        #expect(try name([:], isAdministrator: true) == "production")
        #expect(try name([:], isAdministrator: false) == "development")
        #expect(try name(["CONFIG_ENV": "test"], isAdministrator: true) == "test")
        #expect(
            try name(["DATABASE_URL": "postgresql:///x"], isAdministrator: true) == "development")
    }

    @Test(arguments: ["0", "257", "-1", "8.0", "eight", "99999999999999999999"])
    func `refuse a number out of range`(value: String) {
        #expect(faults(["WORKERS": value]) == ["WORKERS must be a number from 1 to 256"])
    }

    @Test func `keep a worker for full reads`() {
        #expect(
            faults(["WORKERS": "2", "RESERVED_WORKERS": "2"])
                == ["RESERVED_WORKERS must be less than WORKERS"])
        #expect(faults(["WORKERS": "1"]) == [])
    }

    @Test func `that were removed are ignored with a warning, which names place and version`()
        throws
    {
        let settings = try load(
            ["SPOOL_DIRECTORY": "", "WORKERS": "4"], file: "PORT=80\nSPOOL_MEGABYTES=many\n")
        #expect(settings.workers == 4 && settings.port == 80)
        let text = "was removed in version 0.2.0 and has no effect"
        #expect(settings.warnings.count == 2)
        #expect(settings.warnings.first == "SPOOL_DIRECTORY \(text)")
        let line = "development.env line 2: SPOOL_MEGABYTES \(text)"
        #expect(settings.warnings.last?.hasSuffix("/\(line)") == true)
    }

    @Test func `know three environments`() {
        #expect(
            faults(["CONFIG_ENV": "staging"])
                == ["CONFIG_ENV must be development, production or test"])
    }

    @Test(arguments: [
        ("production", "installed", "repository"), ("development", "repository", "installed"),
    ])
    func `are those of the installation in production, and of the repository before`(
        environment: String, first: String, second: String
    ) throws {
        let folders = try ["repository", "installed"].map { name in
            let folder = TemporaryFolder.shared.file(name)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try "DATABASE_URL=postgresql:///\(name)\n".write(
                to: folder.appendingPathComponent("\(environment).env"), atomically: true,
                encoding: .utf8)
            return folder
        }
        func url() throws -> String {
            try Settings.load(
                environment: { $0 == "CONFIG_ENV" ? environment : nil },
                repository: folders[0].path, installed: folders[1].path
            ).databaseURL
        }
        #expect(try url() == "postgresql:///\(first)")
        // Alone, either will do.
        try FileManager.default.removeItem(at: folders[first == "installed" ? 1 : 0])
        #expect(try url() == "postgresql:///\(second)")
    }

    @Test(arguments: ["development", "production", "test"])
    func `of every shipped file are valid`(name: String) throws {
        let folder = Repository.path("deploy/config")
        #expect(throws: Never.self) {
            try Settings.load(
                environment: { $0 == "CONFIG_ENV" ? name : nil }, repository: folder,
                installed: folder)
        }
        #expect(FileManager.default.fileExists(atPath: "\(folder)/\(name).env"))
    }

    @Test func `are each in the manual page, with the default and the limit`() throws {
        let page = try String(
            contentsOfFile: Repository.path("deploy/man/orbital-usage.env.5"), encoding: .utf8)
        let items = page.components(separatedBy: "\n.It ").filter { $0.hasPrefix("Ev ") }
        #expect(items.count == SettingsKey.all.count)
        for (key, item) in zip(SettingsKey.all, items) {
            let standard = key.defaultValue.isEmpty ? "empty" : "Li \(key.defaultValue)"
            #expect(item.hasPrefix("Ev \(key.name) Pq \(standard)\n"), "\(key.name)")
            let fault = faults([key.name: "-1"]).first ?? ""
            if let limit = fault.firstMatch(of: /number from [0-9]+ to ([0-9]+)$/)?.1 {
                #expect(item.contains(limit), "\(key.name)")
            }
        }
    }

    @Test func `are each a row of deploy/README.md's table, with the default`() throws {
        let readme = try String(
            contentsOfFile: Repository.path("deploy/README.md"), encoding: .utf8)
        for key in SettingsKey.all {
            let standard = key.defaultValue.isEmpty ? "none" : "`\(key.defaultValue)`"
            #expect(readme.contains("| `\(key.name)` | \(standard) |"), "\(key.name)")
        }
    }

    @Test func `are handed on to the containers, but those that their images know`() throws {
        let compose = try String(
            contentsOfFile: Repository.path("deploy/docker/compose.yaml"), encoding: .utf8)
        let known = ["DATABASE_URL", "SOCKET_PATH", "TOKENIZER_DIRECTORY", "PORT"]
        for key in SettingsKey.all where !known.contains(key.name) {
            #expect(compose.contains("\n    \(key.name):\n"), "\(key.name)")
        }
    }
}

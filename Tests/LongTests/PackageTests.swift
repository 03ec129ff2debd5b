import Foundation
import TestSupport
import Testing

/// What `make deb` makes.
@Suite(.timeLimit(.minutes(10))) struct `The Debian package` {
    private static let file = Result { try pack() }

    /// Packs it; the file.
    private static func pack() throws -> String {
        let made = try Program.run(Repository.path("deploy/deb"))
        #expect(made.status == 0, "\(made.errors.suffix(4000))")
        let file = try #require(made.output.wholeMatch(of: /deb: (.+\.deb)\n/)?.1)
        return Repository.path(String(file))
    }

    @Test func `has the same bytes each time, and nothing that lintian complains about`() throws {
        let first = try Data(contentsOf: URL(fileURLWithPath: Self.file.get()))
        let file = try Self.pack()
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == first)
        let found = try Program.run(
            "/usr/bin/lintian",
            [
                "--allow-root", "--fail-on", "error,warning,info", "--display-info", "--pedantic",
                file,
            ])
        #expect(found.status == 0)
        #expect(found.output == "", "\(found.errors)")
    }

    @Test func `is not needed: without dpkg, what is wanted is listed, and building goes on`()
        throws
    {
        let path = TemporaryFolder.shared.file("no-dpkg").path
        let linked = try Program.run(
            "/bin/bash",
            [
                "-euc",
                "mkdir $0; for n in bash python3 swift; do ln -s $(command -v $n) $0/; done", path,
            ])
        #expect(linked.status == 0, "\(linked.errors)")
        func packages() throws -> Program.Outcome {
            try Program.run(
                Repository.path("deploy/packages"), ["build"], environment: ["PATH": path])
        }
        let outcome = try packages()
        #expect(outcome.status == 0)
        #expect(
            outcome.errors.contains(
                "libfcgi-dev libpq-dev rapidjson-dev libssl-dev zlib1g-dev libcurl4-openssl-dev pkg-config"
            ))
        try FileManager.default.removeItem(atPath: "\(path)/swift")
        #expect(try packages().status == 69)
    }

    @Test func `has what make install lays out, which leaves alone what was configured`() throws {
        let root = TemporaryFolder.shared.file("root").path
        let setting = "\(root)/etc/orbital-usage/production.env"
        func install() throws -> [Substring] {
            let outcome = try Program.run(
                "/usr/bin/make", ["--silent", "install", "DESTDIR=\(root)"])
            #expect(outcome.status == 0, "\(outcome.errors)")
            return try Program.run("/usr/bin/find", [root, "-type", "f", "-printf", "%P\n"])
                .output.split(separator: "\n").sorted()
        }
        let files = try install()
        try "WORKERS=3\n".write(toFile: setting, atomically: true, encoding: .utf8)
        #expect(try install() == files)
        #expect(try String(contentsOfFile: setting, encoding: .utf8) == "WORKERS=3\n")
        let listing = try Program.run(
            "/bin/sh", ["-c", "dpkg-deb --fsys-tarfile \"$1\" | tar -t", "sh", Self.file.get()])
        let packed = Set(listing.output.split(separator: "\n"))
        #expect(files.count > 60)
        for file in files {
            #expect(packed.contains("./\(file)") || packed.contains("./\(file).gz"), "\(file)")
        }
    }
}

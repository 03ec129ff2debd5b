import FastCGI
public import Foundation

/// One of the recipes of `deploy/cgi`, tried with its real web server on a free port.
///
/// What stands in a recipe for an installed system is put into `folder` instead.
public final class FrontEnd {
    /// The database, empty, with the schema.
    public let database: Database

    /// Where the server, the program, the pages and the socket of this test are.
    public let folder = TemporaryFolder.shared.file("front")

    /// The address of the site.
    public var url: String { "http://127.0.0.1:\(port)" }

    /// The port that the server listens on.
    public let port: Int

    /// Who servers run as that refuse to run as root: PostgreSQL's user may connect to its socket.
    public let user = geteuid() == 0 ? "postgres" : NSUserName()

    private var programs: [Program] = []

    /// Puts everything in place; `stop` must follow.
    public init() throws {
        database = try Database()
        port = try freePort()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: Repository.program("orbital-fcgi"), toPath: path("bin/orbital-fcgi"))
        try FileManager.default.copyItem(
            atPath: Repository.path("nginx/html"), toPath: path("html"))
        try own(folder.path)
    }

    /// A path in `folder`, whose own folder exists.
    public func path(_ name: String) -> String {
        let url = folder.appendingPathComponent(name)
        try? FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        return url.path
    }

    /// The text of a recipe with the paths and the port of this test, and with `changes`.
    public func recipe(_ name: String, _ changes: KeyValuePairs<String, String> = [:]) throws
        -> String
    {
        var text = try String(
            contentsOfFile: Repository.path("deploy/cgi/\(name)"), encoding: .utf8)
        let places = [
            ("/usr/share/orbital-usage/html", path("html")),
            ("/usr/bin/orbital-fcgi", path("bin/orbital-fcgi")),
        ]
        for (installed, here) in places + changes.map({ ($0.key, $0.value) }) {
            if !text.contains(installed), changes.contains(where: { $0.key == installed }) {
                preconditionFailure("\(name) has no \(installed)")
            }
            text = text.replacing(installed, with: here)
        }
        return text
    }

    /// Writes a file; its path.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
        return path(name)
    }

    /// Starts the responder, for servers that only connect to it.
    public func startResponder() throws {
        programs.append(
            try Program(
                path("bin/orbital-fcgi"), ["--socket", path("socket")],
                environment: ["DATABASE_URL": database.url, "CONFIG_ENV": "production"]))
        precondition(eventually { (try? Listener.probe(path("socket"))) != nil })
        try own(path("socket"))
    }

    /// Starts the web server; with `waits`, waits until it responds.
    public func start(
        _ program: String, _ arguments: [String], environment: [String: String] = [:],
        waits: Bool = true
    ) throws {
        let server = try Program(program, arguments, environment: environment)
        // Apache ends its whole process group.
        precondition(getpgid(server.pid) != getpgrp())
        programs.append(server)
        let answers = try !waits || eventually { try curl("/") != "000" }
        precondition(answers, "\(program) does not answer: \(server.output)")
    }

    /// The status that curl gets for `path`.
    public func curl(_ path: String, _ options: [String] = []) throws -> String {
        try Program.run(
            "/usr/bin/curl", options + ["-s", "-o", "/dev/null", "-w", "%{http_code}", url + path]
        ).output
    }

    /// Ends all that was started, the last first.
    public func stop(with signal: Int32 = SIGTERM) {
        for program in programs.reversed() {
            program.signal(signal)
            program.stop()
        }
    }

    private func own(_ path: String) throws {
        if geteuid() == 0 {
            try FileManager.default.setAttributes([.ownerAccountName: user], ofItemAtPath: path)
        }
    }
}

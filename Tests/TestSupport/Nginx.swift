import FastCGI
public import Foundation

/// A real nginx with the shipped `nginx/orbital.conf`, listening on a Unix socket.
public final class Nginx {
    /// Its process.
    public let program: Program

    /// The socket that it listens on.
    public let socketPath: String

    /// Where its files are.
    public let folder = TemporaryFolder.shared.file("nginx")

    /// Starts it in front of the responder at `responderPath` and waits until it listens.
    ///
    /// `optionalFiles` are copied from `nginx/optional`; what they keep goes to `folder`.
    public init(responderPath: String, optionalFiles: [String] = []) throws {
        socketPath = TemporaryFolder.shared.file("site").path
        let made = try Program.run(
            Repository.path("Tests/dev/site"), [folder.path, "unix:\(socketPath)", responderPath])
        precondition(made.status == 0, made.errors)
        try Nginx.add(optionalFiles, to: folder)
        program = try Nginx.start("\(folder.path)/nginx.conf", socketPath)
    }

    /// Starts it with another configuration file, which listens at `socketPath`.
    public init(configuration: String, socketPath: String) throws {
        self.socketPath = socketPath
        program = try Nginx.start(configuration, socketPath)
    }

    /// Ends it.
    public func stop() { program.stop() }

    /// Copies files of `nginx/optional`; what they keep goes to `folder`.
    private static func add(_ optionalFiles: [String], to folder: URL) throws {
        // The password is "secret".
        try "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n".write(
            to: folder.appendingPathComponent("users"), atomically: true, encoding: .utf8)
        for name in optionalFiles {
            let text = try String(
                contentsOfFile: Repository.path("nginx/optional/\(name)"), encoding: .utf8)
            try text.replacing("/var/cache/nginx", with: folder.path)
                .replacing("/var/log/nginx", with: folder.path)
                .replacing("/etc/nginx/orbital-users", with: "\(folder.path)/users")
                .replacing("127.0.0.1:9464", with: "unix:\(folder.path)/metrics")
                .write(
                    to: folder.appendingPathComponent("snippets/\(name)"), atomically: true,
                    encoding: .utf8)
        }
    }

    private static func start(_ configuration: String, _ socketPath: String) throws -> Program {
        let program = try Program("/usr/sbin/nginx", ["-e", "stderr", "-c", configuration])
        let listens = eventually { (try? Listener.probe(socketPath)) != nil }
        precondition(listens, "nginx does not listen: \(program.output)")
        return program
    }

    /// Starts one on a free port of this machine, for those who cannot speak over Unix sockets.
    ///
    /// It serves the files of `root` instead of the site's own, if one is given; `optionalFiles` are
    /// copied from `nginx/optional`.
    public static func onPort(
        responderPath: String, root: URL? = nil, optionalFiles: [String] = []
    ) throws -> (url: String, program: Program) {
        let port = try freePort()
        let folder = TemporaryFolder.shared.file("port-nginx")
        let made = try Program.run(
            Repository.path("Tests/dev/site"), [folder.path, "127.0.0.1:\(port)", responderPath])
        precondition(made.status == 0, made.errors)
        if let root {
            let file = folder.appendingPathComponent("snippets/orbital-site.conf")
            try String(contentsOf: file, encoding: .utf8)
                .replacing(Repository.path("nginx/html"), with: root.path)
                .write(to: file, atomically: true, encoding: .utf8)
        }
        try add(optionalFiles, to: folder)
        let program = try Program(
            "/usr/sbin/nginx", ["-e", "stderr", "-c", "\(folder.path)/nginx.conf"])
        let pidFile = "\(folder.path)/nginx.pid"
        let started = eventually { FileManager.default.fileExists(atPath: pidFile) }
        precondition(started, "nginx does not start: \(program.output)")
        return ("http://127.0.0.1:\(port)", program)
    }

}

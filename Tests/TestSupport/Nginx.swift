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
            Repository.path("deploy/dev/site"), [folder.path, "unix:\(socketPath)", responderPath])
        precondition(made.status == 0, made.errors)
        for name in optionalFiles {
            let text = try String(
                contentsOfFile: Repository.path("nginx/optional/\(name)"), encoding: .utf8)
            try text.replacing("/var/cache/nginx", with: folder.path)
                .write(
                    to: folder.appendingPathComponent("snippets/\(name)"), atomically: true,
                    encoding: .utf8)
        }
        program = try Nginx.start("\(folder.path)/nginx.conf", socketPath)
    }

    /// Starts it with another configuration file, which listens at `socketPath`.
    public init(configuration: String, socketPath: String) throws {
        self.socketPath = socketPath
        program = try Nginx.start(configuration, socketPath)
    }

    /// Ends it.
    public func stop() { program.stop() }

    private static func start(_ configuration: String, _ socketPath: String) throws -> Program {
        let program = try Program("/usr/sbin/nginx", ["-e", "stderr", "-c", configuration])
        let listens = eventually { (try? Listener.probe(socketPath)) != nil }
        precondition(listens, "nginx does not listen: \(program.output)")
        return program
    }
}

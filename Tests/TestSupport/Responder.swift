import FastCGI
import Foundation

/// The real responder on a socket of its own.
public final class Responder {
    /// Its process.
    public let program: Program

    /// Its socket.
    public let socketPath: String

    /// Starts it and waits until it listens.
    public init(databaseURL: String, environment: [String: String] = [:]) throws {
        let path = TemporaryFolder.shared.file("socket").path
        socketPath = path
        program = try Program(
            Repository.program("orbital-fcgi"), ["--socket", path],
            environment: ["DATABASE_URL": databaseURL, "CONFIG_ENV": "test"]
                .merging(environment) { $1 })
        let listens = eventually { (try? Listener.probe(path)) != nil }
        precondition(listens, "the responder does not listen: \(program.output)")
    }

    /// Ends it; its exit status.
    @discardableResult
    public func stop() -> Int32 { program.stop() }

    /// The most memory it has had, in kilobytes.
    public var peakMemoryKilobytes: Int {
        let status =
            (try? String(contentsOfFile: "/proc/\(program.pid)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }

    /// How many descriptors it has open.
    public var descriptorCount: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(program.pid)/fd"))?.count
            ?? 0
    }
}

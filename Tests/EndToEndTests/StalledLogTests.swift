import FastCGI
import Foundation
import TestSupport
import Testing

/// A full pipe as a program's standard error.
private final class FullPipe {
    let writer: FileHandle
    private let reader: FileHandle

    init() throws {
        let pipe = Pipe()
        (reader, writer) = (pipe.fileHandleForReading, pipe.fileHandleForWriting)
        let end = writer.fileDescriptor
        let flags = fcntl(end, F_GETFL)
        try #require(fcntl(end, F_SETFL, flags | O_NONBLOCK) == 0)
        let bytes = [UInt8](repeating: 0x0a, count: 1024)
        while write(end, bytes, bytes.count) > 0 {}
        while write(end, bytes, 1) > 0 {}
        try #require(fcntl(end, F_SETFL, flags) == 0)
    }

    /// The lines that are written to it until the last writer closes it.
    func lines() throws -> [String] {
        try writer.close()
        return String(decoding: reader.readDataToEndOfFile(), as: UTF8.self)
            .split(separator: "\n").map(String.init)
    }
}

private struct Line: Decodable {
    let level: String
    let message: String
    let repeated: Int?
    let lines: Int?
}

@Suite(.timeLimit(.minutes(2))) struct `A log that nobody reads` {
    private let pipe: FullPipe
    private let path = TemporaryFolder.shared.file("socket").path

    init() throws { pipe = try FullPipe() }

    /// Starts a responder without a database, so that each request for records logs an error.
    private func start(
        _ arguments: [String], _ environment: [String: String] = [:], output: Pipe = Pipe()
    ) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["--default-signal", Repository.program("orbital-fcgi")] + arguments
        process.environment = [
            "DATABASE_URL": "postgresql:///x?host=/nowhere", "CONFIG_ENV": "test",
            "LOG_FORMAT": "json", "ACCESS": "keyed",
        ].merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = pipe.writer
        try process.run()
        return process
    }

    private func serve() throws -> Process {
        let process = try start(["--socket", path])
        #expect(eventually { (try? Listener.probe(path)) != nil })
        return process
    }

    /// The responder's last log lines; every line must be complete.
    private func end(_ process: Process) throws -> [Line] {
        kill(process.processIdentifier, SIGTERM)
        let lines = try pipe.lines().map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        #expect(eventually(seconds: 10) { !process.isRunning })
        #expect(process.terminationStatus == 0)
        return lines
    }

    /// Sends a request with a key, which is looked up before the path is routed.
    private func client(_ path: String) -> FastCGIClient {
        let client = FastCGIClient(self.path)
        let key = "Bearer orb_000000000000_\(String(repeating: "x", count: 43))"
        client.send(
            FastCGIClient.request(
                [
                    "REQUEST_METHOD": "GET", "SCRIPT_NAME": path, "ORBITAL_INTERNAL": "1",
                    "HTTP_AUTHORIZATION": key,
                ], true))
        return client
    }

    @Test func `holds up no request, and gets its lines when it is read again`() throws {
        let process = try serve()
        defer { kill(process.processIdentifier, SIGKILL) }
        let clients = (1...40).map { _ in client("/usage") }
        let start = ContinuousClock.now
        try #require(client("/health/live").answer()?.hasPrefix("Status: 200") == true)
        for client in clients {
            try #require(client.answer()?.hasPrefix("Status: 503") == true)
        }
        #expect(ContinuousClock.now - start < .seconds(2))
        let lines = try end(process)
        #expect(lines.contains { $0.message == "stopped" })
        // They are all the same error, so few are written, and one says how many more there were.
        let unavailable = lines.filter { $0.message == "database unavailable" }
        #expect(unavailable.count < 40 && unavailable.first?.repeated == nil, "\(lines)")
        #expect(unavailable.map { $0.repeated ?? 1 }.reduce(0, +) == 40, "\(lines)")
    }

    @Test func `loses lines, counts them and says so`() throws {
        let process = try serve()
        defer { kill(process.processIdentifier, SIGKILL) }
        let long = "/usage/" + String(repeating: "1", count: 60_000)
        let metric = /\norbital_dropped_log_lines_total ([1-9]\d*)\n/
        var dropped: Int?
        let hasDropped = eventually {
            _ = client(long).answer()
            dropped = client("/metrics").answer()?.firstMatch(of: metric).flatMap { Int($0.1) }
            return dropped != nil
        }
        #expect(hasDropped)
        let lines = try end(process)
        let message = "log lines dropped: standard error was not read in time"
        let told = lines.filter { $0.message == message }.compactMap(\.lines).reduce(0, +)
        #expect(told >= (dropped ?? 0) && told > 0)
    }

    @Test func `does not keep the responder from its end`() throws {
        let process = try serve()
        defer { kill(process.processIdentifier, SIGKILL) }
        kill(process.processIdentifier, SIGTERM)
        #expect(eventually(seconds: 10) { !process.isRunning })
    }

    @Test func `does not keep a CGI program from its end`() throws {
        let output = Pipe()
        let process = try start(
            [], ["REQUEST_METHOD": "GET", "SCRIPT_NAME": "/usage", "ACCESS": "open"],
            output: output)
        defer { kill(process.processIdentifier, SIGKILL) }
        #expect(eventually(seconds: 10) { !process.isRunning })
        let answer = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        #expect(answer.hasPrefix("Status: 503"))
    }

    @Test func `does not keep a wrong configuration from its exit status`() throws {
        let process = try start(["--socket", path], ["WORKERS": "none"])
        defer { kill(process.processIdentifier, SIGKILL) }
        #expect(eventually(seconds: 10) { !process.isRunning })
        #expect(!process.isRunning && process.terminationStatus == EX_CONFIG)
    }
}

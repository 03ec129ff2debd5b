import FastCGI
import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `The socket file of a serving responder` {
    private func responder() throws -> Responder {
        try Responder(databaseURL: "postgresql:///x?host=/nowhere")
    }

    private func status(_ path: String) -> String? {
        guard (try? Listener.probe(path)) != nil else { return nil }
        let client = FastCGIClient(path)
        client.get("/health/live")
        return client.answer().map { String($0.prefix(11)) }
    }

    @Test func `is created again within a second after it was removed, with its owner and mode`()
        throws
    {
        let responder = try responder()
        defer { responder.stop() }
        let path = responder.socketPath
        if geteuid() == 0 { #expect(chown(path, 0, 33) == 0) }
        #expect(chmod(path, 0o666) == 0)
        let before = try FileManager.default.attributesOfItem(atPath: path)
        // Longer than the interval at which the file is checked.
        usleep(700_000)
        let connected = FastCGIClient(path)
        #expect(unlink(path) == 0)
        #expect(eventually(seconds: 1) { status(path) == "Status: 200" })
        let after = try FileManager.default.attributesOfItem(atPath: path)
        for name in [FileAttributeKey.posixPermissions, .ownerAccountID, .groupOwnerAccountID] {
            #expect(after[name] as? Int == before[name] as? Int, "\(name)")
        }
        // Another thread writes the log.
        #expect(
            eventually(seconds: 1) {
                responder.program.output.contains("removed or replaced; created it again")
            })
        // A client that had connected before the file was removed is served, too.
        connected.get("/health/live")
        #expect(connected.answer()?.hasPrefix("Status: 200") == true)
        #expect(responder.stop() == 0)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func `is replaced again when nobody listens at the new one`() throws {
        let responder = try responder()
        defer { responder.stop() }
        let dead = try self.responder()
        dead.program.signal(SIGKILL)
        dead.program.wait()
        #expect(rename(dead.socketPath, responder.socketPath) == 0)
        #expect(eventually(seconds: 1) { status(responder.socketPath) == "Status: 200" })
        #expect(responder.stop() == 0)
    }

    @Test func `is left to another process that listens there, and this one ends`() throws {
        let responder = try responder()
        defer { responder.stop() }
        let other = TemporaryFolder.shared.file("other").path
        _ = try Listener(path: other)
        #expect(rename(other, responder.socketPath) == 0)
        #expect(eventually(seconds: 5) { !responder.program.isRunning })
        #expect(responder.program.wait() == 1)
        #expect(responder.program.output.contains("could not be created again; shutting down"))
        try Listener.probe(responder.socketPath)
    }

    @Test func `ends the responder cleanly when it cannot be created again`() throws {
        let responder = try responder()
        defer { responder.stop() }
        let path = responder.socketPath
        #expect(unlink(path) == 0)
        try "precious".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(eventually(seconds: 5) { !responder.program.isRunning })
        #expect(responder.program.wait() == 1)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
        #expect(responder.program.output.contains("stopped"))
    }
}

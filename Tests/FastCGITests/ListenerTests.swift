import FastCGI
import Foundation
import TestSupport
import Testing

@Suite struct `A listener` {
    private let path = TemporaryFolder.shared.file("listener").path

    private func code(_ path: String) -> Int32? {
        do throws(FastCGIError) {
            _ = try Listener(path: path)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `makes a socket for owner and group only, whatever the umask`() throws {
        let before = umask(0)
        defer { umask(before) }
        _ = try Listener(path: path)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o660)
        try Listener.probe(path)
    }

    @Test func `refuses a path where a living process listens`() throws {
        _ = try Listener(path: path)
        #expect(code(path) == EADDRINUSE)
        try Listener.probe(path)
    }

    @Test func `replaces the socket that a killed process left`() throws {
        let killed = try Program(
            "/usr/bin/python3",
            [
                "-c",
                "import socket,time;s=socket.socket(1);s.bind('\(path)');s.listen();time.sleep(60)",
            ])
        #expect(eventually { (try? Listener.probe(path)) != nil })
        killed.signal(SIGKILL)
        killed.wait()
        #expect(FileManager.default.fileExists(atPath: path))
        #expect(code(path) == nil)
    }

    @Test func `leaves a file alone that is no socket`() throws {
        try "precious".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(code(path) == EEXIST)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
    }

    @Test func `says which call failed on what`() {
        #expect(code("/nowhere/socket") == ENOENT)
        #expect(code("/tmp/" + String(repeating: "x", count: 200)) == ENAMETOOLONG)
        #expect(throws: FastCGIError.self) { try Listener(inherited: 0) }
        do {
            _ = try Listener(path: "/nowhere/socket")
        } catch {
            #expect(error.description == "bind /nowhere/socket: No such file or directory")
        }
    }
}

import FastCGI
import Foundation
import TestSupport
import Testing

/// `make run` as a person uses it, on a free port and with its data in a folder of the test.
@Suite(.timeLimit(.minutes(5))) struct `make run` {
    private let folder = TemporaryFolder.shared.file("run").path
    private let port: String

    init() throws { port = String(try freePort()) }

    private func start(_ environment: [String: String] = [:]) throws -> Program {
        try Program(
            Repository.path("deploy/dev/run"),
            environment: ["PORT": port, "RUN_DIR": folder].merging(environment) { $1 })
    }

    private func startAndWait() throws -> Program {
        let program = try start()
        #expect(
            eventually(seconds: 60) { program.output.contains("http://localhost:\(port)\n") },
            "\(program.output)")
        return program
    }

    private func count() throws -> String {
        try Program.run(
            "/bin/sh",
            [
                "-c",
                "curl -sS --noproxy '*' http://localhost:\(port)/usage | python3 -c \"import json,sys; print(len(json.load(sys.stdin)['usage']))\"",
            ]
        ).output
    }

    /// The processes whose command line names the folder; those are all that it started.
    private func processes() throws -> String {
        try Program.run("/usr/bin/pgrep", ["-af", folder]).output
    }

    @Test func `serves the demo, stops without a trace, and serves the same data again`() throws {
        var program = try startAndWait()
        let demo = {
            try Program.run(Repository.path("deploy/dev/demo"), environment: ["RUN_DIR": folder])
                .output
        }
        #expect(try demo().hasSuffix("created 258145, duplicates 0, conflicts 0, invalid 0\n"))
        #expect(try demo().hasSuffix("created 0, duplicates 258145, conflicts 0, invalid 0\n"))
        #expect(try count() == "258145\n")
        let health = try Program.run(
            "/usr/bin/curl", ["-sSi", "--noproxy", "*", "http://localhost:\(port)/health"]
        ).output
        #expect(health.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(health.contains("\r\n\r\n{\"status\":\"healthy\",\"timestamp\":\"20"))
        for signal in [SIGTERM, SIGINT] {
            program.signal(signal)
            #expect(program.wait() == (signal == SIGTERM ? 143 : 130))
            #expect(try processes() == "")
            #expect(!FileManager.default.fileExists(atPath: "\(folder)/orbital.sock"))
            program = try startAndWait()
            #expect(try count() == "258145\n")
        }
        // Not even when it is killed does a responder or an nginx stay.
        program.signal(SIGKILL)
        program.wait()
        #expect(
            try eventually {
                try !processes().contains("orbital-fcgi") && !processes().contains("nginx")
            })
        let last = try startAndWait()
        #expect(try count() == "258145\n")
        last.signal(SIGTERM)
        last.wait()
        #expect(try processes() == "")
    }

    @Test func `says in one sentence what is in its way`() throws {
        #expect(try start(["PORT": "http"]).wait() == 64)
        let holder = try Program(
            "/usr/bin/env",
            [
                "python3", "-c",
                "import socket,time; s=socket.socket(); s.bind(('127.0.0.1', \(port))); s.listen(); print('listens', flush=True); time.sleep(60)",
            ])
        #expect(eventually { holder.output.contains("listens") })
        let taken = try start()
        #expect(taken.wait() == 73)
        #expect(
            taken.output.hasPrefix(
                "port \(port) is taken: choose another one, such as `make run PORT="))
        holder.stop()
        let demo = try Program.run(
            Repository.path("deploy/dev/with-service"), ["true"], environment: ["RUN_DIR": folder])
        #expect(demo.status == 69)
        #expect(demo.errors.hasPrefix("nothing runs here: start `make run` in another terminal"))
    }
}

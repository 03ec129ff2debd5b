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
            Repository.path("Tests/dev/run"),
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

    /// The output of each line of the README's quickstart, except `make run`, which already runs.
    private func quickstart(_ examples: [ReadmeExample]) throws -> [String] {
        let mark = "end-of-a-line"
        let script = examples.dropFirst().map { "\($0.command)\necho \(mark)\n" }.joined()
            .replacing("make demo", with: Repository.path("Tests/dev/demo"))
            .replacing(".run/key", with: "\(folder)/key")
            .replacing("localhost:8000", with: "localhost:\(port)")
        let outcome = try Program.run(
            "/bin/bash", ["-ec", script], environment: ["RUN_DIR": folder, "no_proxy": "*"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        return outcome.output.components(separatedBy: "\(mark)\n").dropLast()
            .map { $0.hasSuffix("\n") ? String($0.dropLast()) : $0 }
    }

    private func checkQuickstart() throws {
        let examples = try ReadmeExample.all(in: "Quickstart")
        #expect(examples.first?.command == "make run")
        let first = try quickstart(examples)
        let expected = examples.dropFirst().map { $0.output.joined(separator: "\n") }
        #expect(first.count == expected.count && expected.count >= 5)
        #expect(
            first.first?.hasSuffix("created 258145, duplicates 0, conflicts 0, invalid 0") == true)
        #expect(Array(first.dropFirst()) == Array(expected.dropFirst()))
        let change = "UPDATE usage_record SET report_name = 'Mine' WHERE message_id = 1"
        let psql = try Program.run(
            Repository.path("Tests/dev/with-service"),
            ["bash", "-c", #"exec psql -Xqc "$0" "$DATABASE_URL""#, change],
            environment: ["RUN_DIR": folder])
        #expect(psql.status == 0, "\(psql.errors)")
        // Each line can be repeated without charging twice. The demo leaves out what others have.
        let again = try quickstart(examples)
        #expect(
            again.first == """
                created 0, duplicates 258144, conflicts 1, invalid 0
                Messages that the demo lacks: 1. The first one: message_id 1 already belongs to another message.
                """)
        #expect(again.last == first.last)
        #expect(again.filter { $0.contains(#""status":"duplicate""#) }.count == 1, "\(again)")
    }

    @Test func `serves the quickstart, stops without a trace, and serves the same data again`()
        throws
    {
        var program = try startAndWait()
        try checkQuickstart()
        #expect(try count() == "258146\n")
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
            #expect(try count() == "258146\n")
        }
        // Not even when it is killed does a responder or an nginx stay.
        program.signal(SIGKILL)
        program.wait()
        #expect(
            try eventually {
                try !processes().contains("orbital-fcgi") && !processes().contains("nginx")
            })
        let last = try startAndWait()
        #expect(try count() == "258146\n")
        kill(try #require(try child("nginx", of: last)), SIGTERM)
        #expect(last.wait() == 70)
        #expect(last.output.contains("\nnginx has ended unexpectedly; stopping the rest\n"))
        #expect(try processes() == "")
    }

    private func curl(_ url: String) throws -> Program.Outcome {
        try Program.run(
            "/usr/bin/curl", ["-sS", "--max-time", "20", "--noproxy", "*", "http://\(url)"])
    }

    /// The process id of the only child of `program` that runs `name`.
    private func child(_ name: String, of program: Program) throws -> Int32? {
        let found = try Program.run("/usr/bin/pgrep", ["-P", "\(program.pid)", "-x", name]).output
        return Int32(found.trimmingCharacters(in: .newlines))
    }

    /// The site serves its metrics at every address, including IPv6 if there is one.
    private func checkAddresses() throws {
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            let metrics = try curl("\(host):\(port)/metrics")
            #expect(metrics.output.contains("orbital_workers 16\n"), "\(host): \(metrics.errors)")
            #expect(try curl("\(host):\(port)/health").output.contains("healthy"))
        }
    }

    @Test
    func `listens on ::1, starts a responder again that died, and stops when PostgreSQL dies`()
        throws
    {
        let program = try startAndWait()
        try checkAddresses()
        let example = try #require(
            program.output.split(separator: "\n").first { $0.hasPrefix("  curl ") })
        for status in ["created", "duplicate"] {
            let recorded = try Program.run(
                "/bin/sh", ["-c", "\(example) -sS --noproxy '*'"])
            #expect(recorded.output.contains("credits_used\":1.70"), "\(recorded)")
            #expect(recorded.output.contains("duplicate") == (status == "duplicate"))
        }
        kill(try #require(try child("orbital-fcgi", of: program)), SIGKILL)
        let words = "the responder has ended with status 137; restarting in 1 s"
        #expect(eventually { program.output.contains(words) }, "\(program.output)")
        #expect(try eventually { try count() == "1\n" }, "\(program.output)")
        let file = "\(folder)/postgres/data/postmaster.pid"
        let number = try String(contentsOfFile: file, encoding: .utf8).prefix { $0 != "\n" }
        kill(try #require(Int32(number)), SIGQUIT)
        #expect(program.wait() == 70)
        #expect(
            program.output.contains("\nPostgreSQL has ended unexpectedly; stopping the rest\n"))
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
        let holderOfIPv6 = try Program(
            "/usr/bin/env",
            [
                "python3", "-c",
                "import socket,time; s=socket.socket(socket.AF_INET6); s.bind(('::1', \(port))); s.listen(); print('listens', flush=True); time.sleep(60)",
            ])
        #expect(eventually { holderOfIPv6.output.contains("listens") })
        let takenOnIPv6 = try start()
        #expect(takenOnIPv6.wait() == 73)
        #expect(takenOnIPv6.output.hasPrefix("port \(port) is taken: "), "\(takenOnIPv6.output)")
        holderOfIPv6.stop()
        let demo = try Program.run(
            Repository.path("Tests/dev/with-service"), ["true"], environment: ["RUN_DIR": folder])
        #expect(demo.status == 69)
        #expect(demo.errors.hasPrefix("nothing runs here: start `make run` in another terminal"))
    }
}

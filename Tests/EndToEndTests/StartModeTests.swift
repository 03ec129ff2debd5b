import FastCGI
import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `The responder's binary` {
    private let program = Repository.program("orbital-fcgi")

    private func cgi(_ path: String, _ database: Database, _ more: [String: String] = [:]) throws
        -> Program.Outcome
    {
        try Program.run(
            program,
            environment: [
                "DATABASE_URL": database.url, "REQUEST_METHOD": "GET", "SCRIPT_NAME": path,
            ].merging(more) { $1 })
    }

    @Test func `responds as a plain CGI program`() throws {
        let database = try Database()
        try database.addRecords(2)
        let health = try cgi("/health", database)
        #expect(health.status == 0)
        #expect(health.output.hasPrefix("Status: 200 OK\r\nContent-Type: application/json\r\n"))
        #expect(health.output.contains("\r\n\r\n{\"status\":\"healthy\",\"timestamp\":\"20"))
        let usage = try cgi("/cgi-bin/orbital-fcgi", database, ["PATH_INFO": "/usage"])
        #expect(
            usage.output.hasSuffix(
                #"{"message_id":2,"timestamp":"2024-01-01T00:01:02Z","credits_used":2.20}]}"#))
        #expect(try cgi("/nothing", database).output.hasPrefix("Status: 404 Not Found\r\n"))
        #expect(
            try cgi("/health", database, ["REQUEST_METHOD": "HEAD"]).output.hasSuffix("\r\n\r\n"))
    }

    @Test func `gives addresses without the script that a rewrite rule hides`() throws {
        let database = try Database()
        func instance(_ address: String?) throws -> String? {
            let output = try cgi(
                "/orbital.cgi", database,
                ["PATH_INFO": "/usage/9"].merging(address.map { ["REQUEST_URI": $0] } ?? [:]) { $1 }
            ).output
            return output.firstMatch(of: /"instance":"([^"]*)"/).map { String($0.1) }
        }
        #expect(try instance("/usage/9?x=/usage/9") == "/usage/9")
        #expect(try instance("/shop/usage/9") == "/shop/usage/9")
        for address in [
            nil, "/orbital.cgi/usage/9?x", "//example.org/usage/9", "http://example.org/usage/9",
            "/a%20b/usage/9", "/usage/10",
        ] {
            #expect(try instance(address) == "/orbital.cgi/usage/9")
        }
    }

    @Test func `requires the length of a body`() throws {
        let database = try Database()
        let answer = try cgi(
            "/usage", database,
            [
                "REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/json",
                "HTTP_TRANSFER_ENCODING": "chunked",
                "HTTP_AUTHORIZATION": "Bearer \(try database.key())",
            ]
        ).output
        #expect(answer.hasPrefix("Status: 411 Length Required\r\n"))
    }

    @Test func `fails as a CGI program when its response is aborted`() throws {
        let database = try Database()
        try database.addRecords(300_000)
        let outcome = try Program.run(
            "/bin/bash", ["-c", "set -o pipefail; '\(program)' | head -c 1000"],
            environment: [
                "DATABASE_URL": database.url, "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/usage",
            ])
        #expect(outcome.status == 1)
    }

    @Test func `responds under fcgiwrap behind nginx, also to large request bodies`() throws {
        let database = try Database()
        try database.addRecords(1000)
        let wrapSocket = TemporaryFolder.shared.file("wrap").path
        let siteSocket = TemporaryFolder.shared.file("cgi").path
        let wrapper = try Program("/usr/sbin/fcgiwrap", ["-s", "unix:\(wrapSocket)"])
        // It does not act on TERM while it waits for a connection.
        defer {
            wrapper.signal(SIGKILL)
            wrapper.wait()
        }
        #expect(eventually { (try? Listener.probe(wrapSocket)) != nil })
        let folder = TemporaryFolder.shared.file("cgi-nginx")
        #expect(
            try Program.run(
                Repository.path("Tests/dev/site"), [folder.path, "unix:\(siteSocket)", wrapSocket]
            ).status == 0)
        let configuration = """
            user root; daemon off; pid \(folder.path)/pid; error_log stderr;
            events {}
            http {
                access_log off; client_body_temp_path \(folder.path)/temp/body; fastcgi_temp_path \(folder.path)/temp/f;
                server {
                    listen unix:\(siteSocket);
                    location / {
                        fastcgi_pass unix:\(wrapSocket);
                        fastcgi_param SCRIPT_FILENAME \(program);
                        fastcgi_param SCRIPT_NAME $uri;
                        fastcgi_param QUERY_STRING $query_string;
                        fastcgi_param REQUEST_METHOD $request_method;
                        fastcgi_param CONTENT_LENGTH $content_length;
                        fastcgi_param GATEWAY_INTERFACE CGI/1.1;
                        fastcgi_param DATABASE_URL "\(database.url)";
                    }
                }
            }
            """
        try configuration.write(
            toFile: "\(folder.path)/cgi.conf", atomically: true, encoding: .utf8)
        let nginx = try Nginx(configuration: "\(folder.path)/cgi.conf", socketPath: siteSocket)
        defer { nginx.stop() }
        func curl(_ path: String, _ options: [String] = []) throws -> Program.Outcome {
            try Program.run(
                "/usr/bin/curl",
                options + ["-sS", "--unix-socket", siteSocket, "http://localhost\(path)"])
        }
        #expect(try curl("/health").output.hasPrefix("{\"status\":\"healthy\""))
        #expect(try curl("/usage").output.hasSuffix("}]}"))
        let body = TemporaryFolder.shared.file("body").path
        try Data(count: 900_000).write(to: URL(fileURLWithPath: body))
        #expect(
            try curl(
                "/usage", ["--data-binary", "@\(body)", "-o", "/dev/null", "-w", "%{http_code}"]
            ).output == "401")
    }

    @Test func `serves the socket that spawn-fcgi opened`() throws {
        let database = try Database()
        let path = TemporaryFolder.shared.file("spawned").path
        let spawned = try Program(
            "/usr/bin/spawn-fcgi", ["-n", "-s", path, "--", program],
            environment: ["DATABASE_URL": database.url])
        #expect(eventually { (try? Listener.probe(path)) != nil })
        let client = FastCGIClient(path)
        client.get("/health")
        #expect(client.answer()?.hasPrefix("Status: 200 OK") == true)
        #expect(spawned.stop() == 0)
        // The socket is the supervisor's: it stays.
        #expect(FileManager.default.fileExists(atPath: path))
    }

    @Test func `serves the socket that systemd passes`() throws {
        let database = try Database()
        let path = TemporaryFolder.shared.file("activated").path
        let activator = """
            import os, socket, sys
            listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]); listener.listen(64)
            os.dup2(listener.fileno(), 3); os.set_inheritable(3, True)
            os.execve(sys.argv[2], [sys.argv[2]], {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
            """
        let activated = try Program(
            "/usr/bin/env", ["python3", "-c", activator, path, program],
            environment: ["DATABASE_URL": database.url])
        #expect(eventually { (try? Listener.probe(path)) != nil })
        let client = FastCGIClient(path)
        client.get("/health/live")
        #expect(client.answer()?.hasPrefix("Status: 200 OK") == true)
        #expect(activated.stop() == 0)
    }

    @Test func `logs into no socket when standard output and error are closed`() throws {
        let database = try Database()
        let path = TemporaryFolder.shared.file("closed").path
        let closed = try Program(
            "/bin/sh", ["-c", "exec \"$0\" --socket \"$1\" <&- >&- 2>&-", program, path],
            environment: ["DATABASE_URL": database.url])
        #expect(eventually { (try? Listener.probe(path)) != nil })
        for descriptor in 0...2 {
            let file = "/proc/\(closed.pid)/fd/\(descriptor)"
            #expect(
                try FileManager.default.destinationOfSymbolicLink(atPath: file) == "/dev/null")
        }
        #expect(closed.stop() == 0)
    }

    @Test func `explains itself, and refuses what it does not understand`() throws {
        let help = try Program.run(program, ["--help"])
        #expect(help.status == 0)
        #expect(help.output.hasPrefix("usage: orbital-fcgi [--socket PATH]"))
        let version = try Program.run(program, ["--version"]).output
        #expect(try version == "orbital-fcgi \(Repository.version)\n")
        #expect(try Program.run(program, ["--sockt", "x"]).status == 64)
        #expect(try Program.run(program, ["--socket"]).status == 64)
        let nothing = try Program.run(program)
        #expect(nothing.status == 64)
        #expect(nothing.errors.hasPrefix("orbital-fcgi: no socket to serve: use --socket PATH"))
        let wrong = try Program.run(
            program, ["--socket", "/tmp/x"], environment: ["WORKERS": "many"])
        #expect(wrong.status == 78)
        #expect(wrong.errors == "orbital-fcgi: WORKERS must be a number from 1 to 256\n")
        let taken = try Program.run(program, ["--socket", "/nowhere/x"])
        #expect(taken.status == 71)
        #expect(taken.errors == "orbital-fcgi: bind /nowhere/x: No such file or directory\n")
    }
}

import Foundation
import TestSupport
import Testing

/// Recipes of `deploy/cgi` for servers that are no Apache and no lighttpd.
@Suite(.timeLimit(.minutes(5))) struct `The recipe for a proxy,` {
    @Test func `Caddy, holds the contract`() throws {
        let front = try FrontEnd()
        defer { front.stop() }
        try front.startResponder()
        try front.write(
            front.recipe("Caddyfile", [":80 {": "http://127.0.0.1:\(front.port) {"]),
            to: "recipe")
        let main = "{\n\tadmin off\n\tpersist_config off\n}\nimport \(front.path("recipe"))\n"
        try front.start(
            Repository.path(".build/test-tools/bin/caddy"),
            ["run", "--adapter", "caddyfile", "--config", front.write(main, to: "Caddyfile")],
            environment: ["HOME": front.folder.path, "XDG_DATA_HOME": front.folder.path])
        try front.holdContract(breaks: "visibly")
    }

    @Test func `HAProxy, holds the contract, but for pages`() throws {
        let front = try FrontEnd()
        defer { front.stop() }
        try front.startResponder()
        try startHAProxy(front)
        try front.holdContract(breaks: "visibly", ["--page", "none"])
    }

    private func startHAProxy(_ front: FrontEnd, edit: (String) -> String = { $0 }) throws {
        var recipe = try front.recipe("haproxy.cfg", ["bind :80": "bind 127.0.0.1:\(front.port)"])
        if geteuid() == 0 {
            // As systemd makes the socket.
            try FileManager.default.setAttributes(
                [.groupOwnerAccountName: "www-data"], ofItemAtPath: front.path("socket"))
        } else {
            recipe.replace("user haproxy", with: "")
            recipe.replace("group www-data", with: "")
        }
        try front.start(
            "/usr/sbin/haproxy", ["-db", "-f", front.write(edit(recipe), to: "haproxy.cfg")])
    }

    @Test(
        .enabled(if: geteuid() == 0, "needs root, to become another user"),
        arguments: [
            ("group www-data", "200"), ("group haproxy", "503"),
            ("group www-data\n    chroot /var/lib/haproxy", "503"),
        ])
    func `HAProxy, reaches the socket by its group, and from no chroot`(
        line: String, status: String
    )
        throws
    {
        let front = try FrontEnd()
        defer { front.stop() }
        try front.startResponder()
        try startHAProxy(front) { $0.replacing("group www-data", with: line) }
        #expect(try front.curl("/health") == status)
    }

    @Test func `HAProxy, needs its line against user names without a checked password`() throws {
        for (line, status) in [("set-param REMOTE_USER %[str()]", "401"), ("", "200")] {
            let front = try FrontEnd()
            defer { front.stop() }
            try front.startResponder()
            try startHAProxy(front) {
                $0.replacing("set-param REMOTE_USER %[str()]", with: line)
            }
            #expect(try front.curl("/usage", ["-u", "anybody:wrong"]) == status)
        }
    }

    @Test func `nginx with fcgiwrap, holds the contract`() throws {
        let front = try FrontEnd()
        defer { front.stop(with: SIGKILL) }
        try front.start(
            "/usr/sbin/fcgiwrap", ["-s", "unix:\(front.path("wrap"))"], waits: false)
        let production = "fastcgi_param CONFIG_ENV      production;"
        let recipe = try front.recipe(
            "nginx-fcgiwrap.conf",
            [
                "listen 80;": "listen 127.0.0.1:\(front.port);",
                "/run/fcgiwrap.socket": front.path("wrap"),
                production: "\(production)\nfastcgi_param DATABASE_URL \"\(front.database.url)\";",
            ])
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(front.path("temp/\($0)"));" }
        let main = """
            \(geteuid() == 0 ? "user root;" : "")
            daemon off; master_process off; pid \(front.path("pid")); error_log stderr;
            events {}
            http {
                include /etc/nginx/mime.types; access_log off;
                \(temporary.joined(separator: " "))
                \(recipe)
            }
            """
        try front.start(
            "/usr/sbin/nginx", ["-e", "stderr", "-c", front.write(main, to: "nginx.conf")])
        try front.holdContract(breaks: "unseen", ["--too-large", "any"])
    }

    @Test func `spawn-fcgi, holds the contract behind the nginx file of production`() throws {
        let front = try FrontEnd()
        defer { front.stop() }
        let users = "-u orbital-usage -g orbital-usage -U orbital-usage -G www-data "
        let script = try front.write(
            front.recipe(
                "spawn-fcgi.sh",
                [
                    users: "", "install -d -m 755 /run/orbital-usage\n": "",
                    "/run/orbital-usage/orbital.pid": front.path("spawned"),
                    "/var/log/orbital-usage.log": front.path("responder.log"),
                ]),
            to: "spawn-fcgi.sh")
        let spawned = try Program(
            "/bin/sh", [script], environment: ["DATABASE_URL": front.database.url])
        #expect(spawned.wait() == 0)
        let pid = try #require(
            pid_t(String(contentsOfFile: front.path("spawned"), encoding: .utf8)))
        defer { kill(pid, SIGTERM) }
        let made = try Program.run(
            Repository.path("Tests/dev/site"),
            [front.path("nginx"), "127.0.0.1:\(front.port)", front.path("socket")])
        #expect(made.status == 0, "\(made.errors)")
        try front.start(
            "/usr/sbin/nginx", ["-e", "stderr", "-c", front.path("nginx/nginx.conf")])
        try front.holdContract(breaks: "visibly")
        kill(pid, SIGTERM)
        #expect(eventually { kill(pid, 0) != 0 })
    }
}

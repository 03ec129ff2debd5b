import Foundation
import TestSupport
import Testing

/// Each recipe of `deploy/cgi` with its real server, which ends in the same check of the contract.
@Suite(.timeLimit(.minutes(5))) struct `The recipe for` {
    /// A document root on a shared host, with the recipe as its .htaccess.
    private func startSharedHost(
        _ front: FrontEnd, modules: [String] = ["mpm_event", "cgid"],
        override: String = "FileInfo Options", edit: (String) -> String = { $0 }
    ) throws {
        let place = "#SetEnv DATABASE_URL postgresql://user:password@database.example.net/orbital"
        let recipe = try front.recipe(
            "apache-cgi.htaccess", [place: "SetEnv DATABASE_URL \"\(front.database.url)\""])
        try front.write(edit(recipe), to: "html/.htaccess")
        try FileManager.default.copyItem(
            atPath: front.path("bin/orbital-fcgi"), toPath: front.path("html/orbital.cgi"))
        try front.startApache(
            modules: modules + ["rewrite"],
            """
            \(modules.contains("cgid") ? "ScriptSock \"\(front.path("cgi"))\"" : "")
            DocumentRoot "\(front.path("html"))"
            <Directory "\(front.path("html"))">
                AllowOverride \(override)
                Require all granted
            </Directory>
            """)
    }

    @Test(arguments: [["mpm_event", "cgid"], ["mpm_prefork", "cgi"]])
    func `Apache on a shared host holds the contract under mod_cgi and mod_cgid`(
        modules: [String]
    ) throws {
        let front = try FrontEnd()
        defer { front.stop() }
        try startSharedHost(front, modules: modules)
        try front.holdContract(breaks: "unseen", ["--chunked", "refused"])
    }

    @Test func `Apache on a shared host hands keys on by its rewrite rule, or by CGIPassAuth`()
        throws
    {
        let rule = "RewriteRule ^ - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]\n"
        for (override, line, status) in [
            ("FileInfo Options", rule, "200"), ("FileInfo Options", "", "401"),
            ("FileInfo Options AuthConfig", "CGIPassAuth On\n", "200"),
        ] {
            let front = try FrontEnd()
            defer { front.stop() }
            try startSharedHost(front, override: override) {
                precondition($0.contains(rule))
                return $0.replacing(rule, with: line)
            }
            let key = ["-H", "Authorization: Bearer \(try front.database.key())"]
            #expect(try front.curl("/usage", key) == status)
            #expect(try front.curl("/orbital.cgi/usage", key) == status)
        }
    }

    @Test func `nginx with fcgiwrap holds the contract`() throws {
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
}

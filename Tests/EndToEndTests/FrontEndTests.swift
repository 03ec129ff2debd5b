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

    @Test func `Apache with mod_proxy_fcgi holds the contract`() throws {
        let front = try FrontEnd()
        defer { front.stop() }
        try front.startResponder()
        try front.startApache(
            modules: ["mpm_event", "proxy", "proxy_fcgi"],
            front.recipe("apache-proxy-fcgi.conf", ["*:80": "127.0.0.1:\(front.port)"]))
        try front.holdContract(breaks: "visibly", ["--chunked", "either"])
    }

    @Test func `Apache with mod_fcgid holds the contract, with one worker a process`() throws {
        let front = try FrontEnd()
        defer { front.stop() }
        try front.startApache(
            modules: ["mpm_event", "fcgid"],
            """
            FcgidIPCDir "\(front.folder.path)"
            FcgidProcessTableFile "\(front.path("table"))"

            """
                + front.recipe(
                    "apache-fcgid.conf",
                    [
                        "*:80": "127.0.0.1:\(front.port)",
                        "FcgidInitialEnv WORKERS 1":
                            "FcgidInitialEnv WORKERS 1\nFcgidInitialEnv DATABASE_URL \"\(front.database.url)\"",
                    ]))
        try front.holdContract(breaks: "unseen")
        let log = try String(contentsOfFile: front.path("error.log"), encoding: .utf8)
        #expect(log.contains("mode=inherited(descriptor: 0) workers=1 "))
    }

    /// Debian's own lighttpd.conf, with the recipe where its conf-enabled is.
    private func startLighttpd(_ front: FrontEnd, _ recipe: String) throws {
        let include = #"include "/etc/lighttpd/conf-enabled/*.conf""#
        var main = try String(contentsOfFile: "/etc/lighttpd/lighttpd.conf", encoding: .utf8)
        precondition(main.contains(include))
        main = main.replacing(
            include, with: "include \"\(try front.write(recipe, to: "recipe.conf"))\""
        )
        .replacing("/var/cache/lighttpd/uploads", with: front.folder.path)
        .replacing("/var/log/lighttpd", with: front.folder.path)
        .replacing("/run/lighttpd.pid", with: front.path("pid"))
        .split(separator: "\n")
        .filter {
            $0.firstMatch(of: /^server\.(username|groupname|port)|use-ipv6/) == nil
        }
        .joined(separator: "\n")
        let listen = "\nserver.port = \(front.port)\nserver.bind = \"127.0.0.1\"\n"
        try front.start(
            "/usr/sbin/lighttpd", ["-D", "-f", front.write(main + listen, to: "lighttpd.conf")])
    }

    @Test func `lighttpd with FastCGI holds the contract`() throws {
        let front = try FrontEnd()
        defer { front.stop() }
        try front.startResponder()
        try startLighttpd(front, front.recipe("lighttpd-fastcgi.conf"))
        try front.holdContract(breaks: "visibly")
    }

    @Test func `lighttpd with CGI holds the contract`() throws {
        let front = try FrontEnd()
        defer { front.stop() }
        let production = #""CONFIG_ENV" => "production""#
        try startLighttpd(
            front,
            front.recipe(
                "lighttpd-cgi.conf",
                [production: "\(production), \"DATABASE_URL\" => \"\(front.database.url)\""]))
        try front.holdContract(breaks: "unseen")
    }
}

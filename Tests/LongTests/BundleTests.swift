import Foundation
import TestSupport
import Testing

/// What `make cgi-bundle` makes.
@Suite(.timeLimit(.minutes(5))) struct `The CGI bundle` {
    private let front: FrontEnd
    private let home: String

    /// Unpacks it in a home folder, as its README says.
    init() throws {
        front = try FrontEnd()
        let file = front.path("bundle.tar.gz")
        let made = try Program.run(Repository.path("deploy/cgi-bundle"), [file])
        precondition(made.status == 0, made.errors)
        home = front.path("root/home")
        let unpacked = try Program.run(
            "/bin/sh",
            [
                "-euc",
                """
                mkdir -p \(home)/public_html; cd \(home)
                tar -xzf \(file); cp -r orbital-usage/public/. public_html/
                """,
            ])
        precondition(unpacked.status == 0, unpacked.errors)
    }

    private func configure(_ databaseURL: String) throws {
        let file = "\(home)/orbital-usage/deploy/config/production.env"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let example = "postgresql://user:password@database.example.net/orbital"
        precondition(text.contains(example))
        try text.replacing(example, with: databaseURL)
            .write(toFile: file, atomically: true, encoding: .utf8)
        if geteuid() == 0 {
            let owner: [FileAttributeKey: Any] = [.ownerAccountName: front.user]
            try FileManager.default.setAttributes(owner, ofItemAtPath: file)
        }
    }

    private func orbitalctl(_ arguments: [String], _ database: Database) throws -> String {
        let outcome = try Program.run(
            "\(home)/orbital-usage/orbitalctl", arguments,
            environment: ["DATABASE_URL": database.url])
        #expect(outcome.status == 0, "\(outcome.errors)")
        return outcome.output.trimmingCharacters(in: .newlines)
    }

    @Test func `holds the contract under Apache, unpacked as its README says`() throws {
        defer { front.stop() }
        try configure(front.database.url)
        let root = "\(home)/public_html"
        try front.startApache(
            modules: ["mpm_event", "cgid", "rewrite"],
            """
            ScriptSock "\(front.path("cgi"))"
            DocumentRoot "\(root)"
            <Directory "\(root)">
                AllowOverride FileInfo Options
                Require all granted
            </Directory>
            """)
        let key = try orbitalctl(
            ["keys", "create", "me", "--scope", "usage:read", "--scope", "usage:write"],
            front.database)
        try front.holdContract(key: key, breaks: "unseen", ["--chunked", "refused"])
    }

    @Test func `answers in a root that holds it, a shell and nothing else`() throws {
        let empty = try Database(isMigrated: false)
        let socket = try #require(empty.url.split(separator: "?host=").last)
        let root = front.path("root")
        // A shell with the C library that it wants, and PostgreSQL's socket by a second name.
        let built = try Program.run(
            "/bin/sh",
            [
                "-euc",
                """
                cd \(root); mkdir -p bin lib lib64 pg
                cp /bin/dash bin/sh
                cp -L $(ldd /bin/dash | grep -o '/[^ ]*libc.so[^ ]*') lib/
                cp -L /lib64/ld-linux-x86-64.so.2 lib64/
                ln \(socket)/.s.PGSQL.5432 pg/
                """,
            ])
        #expect(built.status == 0, "\(built.errors)")
        try configure(empty.url.replacing(socket, with: "/pg"))
        // Outside: without /proc a Swift program does not know its arguments.
        _ = try orbitalctl(["migrate", "up", "--migrations", "Migrations"], empty)
        let key = try orbitalctl(["keys", "create", "me", "--scope", "usage:read"], empty)
        try empty.addContractRecords()
        let command = """
            export REQUEST_METHOD=GET SCRIPT_FILENAME=/home/public_html/orbital.cgi
            export SCRIPT_NAME=/orbital.cgi PATH_INFO=/usage HTTP_AUTHORIZATION='Bearer \(key)'
            exec /home/public_html/orbital.cgi
            """
        let become = geteuid() == 0 ? [] : ["/usr/bin/unshare", "--map-root-user"]
        let outcome = try Program.run(
            "/usr/bin/env", ["-i"] + become + ["/usr/sbin/chroot", root, "/bin/sh", "-c", command])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let answer = outcome.output
        #expect(answer.hasPrefix("Status: 200 OK\r\n"))
        let records = [
            #"{"message_id":1,"timestamp":"2024-01-15T14:30:00Z","report_name":"Contract Analysis","credits_used":15.60}"#,
            #"{"message_id":2,"timestamp":"2024-01-15T15:45:00Z","credits_used":8.20}"#,
        ]
        #expect(answer.hasSuffix("\r\n\r\n{\"usage\":[\(records.joined(separator: ","))]}"))
    }

    @Test func `answers a cold request in 25 ms, or in 2.2 times as long as psql`() throws {
        try front.database.addRecords(100_000)
        try configure(front.database.url)
        try check(
            "cold_cgi",
            [
                "101", "25", "2.2", front.database.url, Repository.program("orbital-fcgi"),
                "\(home)/public_html/orbital.cgi",
            ])
    }
}

import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct `Access` {
    private func status(_ site: Site, _ path: String, _ options: [String]) throws -> Int {
        try site.curl(path, options).status
    }

    private func bearer(_ key: String) -> [String] { ["-H", "Authorization: Bearer \(key)"] }

    private let post = ["-H", "Content-Type: application/json", "-d", #"{"message_text":"x"}"#]

    @Test func `is open for reading, and needs a key for writing, in development`() throws {
        let site = try Site()
        defer { site.stop() }
        #expect(try status(site, "/usage", []) == 200)
        #expect(try status(site, "/usage", bearer("nonsense")) == 200)
        #expect(try status(site, "/usage/estimate", post) == 200)
        let refused = try site.curl("/usage", post)
        #expect(refused.status == 401)
        #expect(refused.fields["www-authenticate"] == #"Bearer realm="orbital-usage""#)
        #expect(try status(site, "/usage", post + bearer(site.database.key())) == 201)
        #expect(try status(site, "/usage", post + bearer(site.database.key(["usage:read"]))) == 403)
    }

    @Test func `needs a key with the scope for everything but health when it is keyed`() throws {
        let site = try Site(["ACCESS": "keyed"])
        defer { site.stop() }
        let reader = try site.database.key(["usage:read"])
        let writer = try site.database.key(["usage:write"])
        for path in ["/usage", "/usage/summary", "/usage/attributions?of=model", "/usage/1"] {
            #expect(try status(site, path, []) == 401)
            #expect(try status(site, path, bearer(writer)) == 403)
            #expect([200, 404].contains(try status(site, path, bearer(reader))))
            #expect(
                [200, 404].contains(
                    try status(site, path, ["-H", "Authorization: bEARER   \(reader)"])))
        }
        for path in ["/health", "/health/live", "/health/ready"] {
            #expect(try status(site, path, []) == 200)
        }
        #expect(try status(site, "/usage", post + bearer(writer)) == 201)
        #expect(try status(site, "/usage", post + bearer(reader)) == 403)
        let answer = try site.curl("/usage", bearer(reader))
        #expect(answer.fields["cache-control"] == "private, no-cache")
        #expect(answer.fields["vary"] == "Accept, Accept-Encoding, Authorization")
    }

    @Test func `refuses every key that is not exactly one that is valid`() throws {
        let site = try Site(["ACCESS": "keyed"])
        defer { site.stop() }
        let key = try site.database.key()
        let parts = key.split(separator: "_", maxSplits: 2)
        let other = try site.database.key().split(separator: "_", maxSplits: 2)
        for wrong in [
            "", "x", "orb_", "orb__", "orb_\(parts[1])_", "orb_\(parts[1])_\(parts[2].dropLast())",
            "orb_\(parts[1])_\(parts[2])A", "orb_\(other[1])_\(parts[2])",
            "orb_\(parts[1])_\(other[2])",
            "orb_000000000000_\(parts[2])", "ORB_\(parts[1])_\(parts[2])", "\(key) x",
            "orb_' OR 1=1_\(parts[2])",
        ] {
            let answer = try site.curl("/usage", bearer(wrong))
            #expect(answer.status == 401, "\(wrong)")
            #expect(answer.fields["www-authenticate"]?.contains("Bearer") == true)
        }
        for field in [
            "Basic \(key)", "Token \(key)", key, "Bearer", "Bearer,\(key)", "Basic dXNlcjpw",
        ] {
            #expect(
                try status(site, "/usage", ["-H", "Authorization: \(field)"]) == 401, "\(field)")
        }
        #expect(try status(site, "/usage", bearer(key)) == 200)
    }

    /// Has `count` workers each handle a request with `key`, all at once.
    private func warm(_ site: Site, _ count: Int, _ key: String) throws {
        let lock = try site.database.lockRecords()
        let reads = try (1...count).map { _ in
            try site.startCurl("/usage?limit=1", options: bearer(key))
        }
        #expect(try eventually { try site.runningQueries("usage_record") == count })
        try lock.run("ROLLBACK")
        #expect(reads.map { $0.wait() } == Array(repeating: 0, count: count))
    }

    @Test func `ends with the next request after a key was revoked, in every worker`() throws {
        let site = try Site(["ACCESS": "keyed", "WORKERS": "8", "RESERVED_WORKERS": "0"])
        defer { site.stop() }
        for change in [
            "UPDATE api_key SET revoked_at = now() WHERE key_id = '$'",
            "UPDATE api_key SET expires_at = now() WHERE key_id = '$'",
            "UPDATE api_key SET scopes = '{usage:none}' WHERE key_id = '$'",
            "DELETE FROM api_key WHERE key_id = '$'",
            "SET session_replication_role = replica; DELETE FROM api_key WHERE key_id = '$'; "
                + "RESET session_replication_role",
            "TRUNCATE api_key",
        ] {
            try site.database.run(
                "ALTER TABLE api_key DROP CONSTRAINT IF EXISTS api_key_scopes_check")
            let key = try site.database.key()
            try warm(site, 8, key)
            #expect(try status(site, "/usage", post + bearer(key)) == 201)
            let count = try site.database.value("SELECT count(*) FROM usage_record")
            try site.database.run(
                change.replacing("$", with: key.split(separator: "_")[1]))
            let refused = change.contains("scopes") ? 403 : 401
            #expect(try status(site, "/usage", post + bearer(key)) == refused, "\(change)")
            for _ in 1...16 {
                #expect(try status(site, "/usage?limit=1", bearer(key)) == refused, "\(change)")
            }
            #expect(try site.database.value("SELECT count(*) FROM usage_record") == count)
        }
    }

    @Test func `ends when a key expires, and with orbitalctl keys revoke`() throws {
        let site = try Site(["ACCESS": "keyed"])
        defer { site.stop() }
        let key = try site.database.key()
        for _ in 1...20 { #expect(try status(site, "/usage", bearer(key)) == 200) }
        let id = key.split(separator: "_")[1]
        try site.database.run(
            "UPDATE api_key SET expires_at = now() + interval '1 s' WHERE key_id = '\(id)'")
        #expect(try status(site, "/usage", bearer(key)) == 200)
        #expect(try eventually(seconds: 3) { try status(site, "/usage", bearer(key)) == 401 })
        let other = try site.database.key()
        #expect(try status(site, "/usage", bearer(other)) == 200)
        let revoked = try Program.run(
            Repository.program("orbitalctl"),
            ["keys", "revoke", String(other.split(separator: "_")[1])],
            environment: ["DATABASE_URL": site.database.url])
        #expect(revoked.status == 0)
        #expect(try status(site, "/usage", bearer(other)) == 401)
        let expiring = try site.database.key()
        try site.database.run(
            "UPDATE api_key SET expires_at = now() WHERE key_id = '\(expiring.split(separator: "_")[1])'"
        )
        #expect(try status(site, "/usage", bearer(expiring)) == 401)
        // What SQL can say as well.
        for (expiry, expected) in [("infinity", 200), ("-infinity", 401)] {
            let key = try site.database.key()
            try site.database.run(
                "UPDATE api_key SET expires_at = '\(expiry)' WHERE key_id = '\(key.split(separator: "_")[1])'"
            )
            #expect(try status(site, "/usage", bearer(key)) == expected)
        }
    }

    @Test func `is not given to a user whom a client only claims to be`() throws {
        let site = try Site(["ACCESS": "keyed"])
        defer { site.stop() }
        for claim in [
            ["-u", "admin:x"], ["-H", "Remote-User: admin"], ["-H", "REMOTE_USER: admin"],
            ["-H", "Remote_User: admin"], ["-H", "X-Remote-User: admin"],
            ["-H", "X-Forwarded-User: admin"],
            ["-H", "Redirect-Http-Authorization: Bearer x"],
        ] {
            #expect(try status(site, "/usage", claim) == 401, "\(claim)")
        }
    }

    @Test func `is given to a user whom nginx has authenticated, for reading`() throws {
        let site = try Site(
            ["ACCESS": "keyed"], nginxFiles: ["orbital-users-realm.conf", "orbital-users.conf"])
        defer { site.stop() }
        let refused = try site.curl("/usage")
        #expect(refused.status == 401)
        #expect(refused.fields["www-authenticate"] == #"Basic realm="Orbital Usage""#)
        #expect(refused.fields["content-type"] == "application/problem+json")
        #expect(try status(site, "/usage", ["-u", "ann:wrong"]) == 401)
        #expect(try status(site, "/usage", ["-u", "ann:secret"]) == 200)
        #expect(try status(site, "/usage", ["-u", "ann:secret"] + post) == 401)
        let key = try site.database.key()
        #expect(try status(site, "/usage", bearer(key)) == 200)
        #expect(try status(site, "/usage", bearer(key) + post) == 201)
        #expect(try status(site, "/usage", bearer("orb_x")) == 401)
        #expect(try status(site, "/usage/x%20bearer%20y", ["-u", "ann:wrong"]) == 401)
        #expect(try status(site, "/health", []) == 200)
    }
}

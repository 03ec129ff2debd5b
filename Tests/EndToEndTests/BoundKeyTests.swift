import Foundation
import TestSupport
import Testing

/// Also `GET /me`; `Tests/api/test_bound_keys.py` compares bound keys with a model.
@Suite(.timeLimit(.minutes(2))) struct `A bound key` {
    private func status(_ site: Site, _ path: String, _ options: [String]) throws -> Int {
        try site.curl(path, options).status
    }

    private func bearer(_ key: String) -> [String] { ["-H", "Authorization: Bearer \(key)"] }

    @Test
    func `shows its records only, and is refused once it is revoked, also where none is needed`()
        throws
    {
        for access in ["open", "keyed"] {
            let site = try Site(["ACCESS": access])
            defer { site.stop() }
            try site.database.run(
                """
                INSERT INTO usage_record (message_id, "timestamp", message_text, attribution_id)
                SELECT n, '2024-01-01Z', 'x', usage_attribution('u-' || n, NULL, NULL, NULL)
                FROM generate_series(1, 3) AS n
                """)
            let all = bearer(try site.database.key())
            // Without usage:read it reads what everybody may read, within its bounds.
            let scopes = access == "open" ? ["usage:write"] : ["usage:read"]
            let key = try site.database.key(scopes, bounds: ["--user", "u-2"])
            for path in ["/usage", "/usage?limit=9", "/usage?format=ndjson"] {
                #expect(try site.curl(path, all).body.contains(#""message_id":3"#))
                let own = try site.curl(path, bearer(key))
                #expect(own.body.contains(#""message_id":2"#))
                #expect(!own.body.contains(#""message_id":1"#))
                #expect(!own.body.contains(#""message_id":3"#))
                #expect(own.fields["cache-control"] == "private, no-cache")
                #expect(own.fields["vary"] == "Accept, Accept-Encoding, Authorization")
            }
            let id = String(key.split(separator: "_")[1])
            for path in ["/usage/1", "/usage/9"] {
                let absent = try site.curl(path, bearer(key))
                #expect(absent.status == 404)
                #expect(absent.body.contains(#""detail":"No message has this message_id.""#))
            }
            try site.database.run("UPDATE api_key SET revoked_at = now() WHERE key_id = '\(id)'")
            #expect(try status(site, "/usage", bearer(key)) == 401)
            for field in ["bearer  \(key)", "Token \(key)", key, "Bearer\t\(key)", "Bearer orb_"] {
                let options = ["-H", "Authorization: \(field)"]
                #expect(try status(site, "/usage", options) == 401, "\(field)")
            }
            // Other credentials are for others: for a proxy in front, say.
            for field in ["Basic dXNlcjpw", "Bearer eyJhbGciOiJub25lIn0.orb_x"] {
                let expected = access == "open" ? 200 : 401
                let options = ["-H", "Authorization: \(field)"]
                #expect(try status(site, "/usage", options) == expected, "\(field)")
            }
        }
    }

    @Test func `is described by /me, as others and users of nginx are`() throws {
        for access in ["open", "keyed"] {
            let site = try Site(
                ["ACCESS": access], nginxFiles: ["orbital-users-realm.conf", "orbital-users.conf"])
            defer { site.stop() }
            let key = try site.database.key(
                ["usage:write"], bounds: ["--tag", "env:prod", "--user", "u-17", "--team", "l\"é"])
            let id = String(key.split(separator: "_")[1])
            let own = try site.curl("/me", bearer(key))
            #expect(
                own.body
                    == #"{"key_id":"\#(id)","name":"test","scopes":["usage:write"],"#
                    + #""bounds":{"user_id":"u-17","team_id":"l\"é","tags":{"env":"prod"}}}"#)
            #expect(own.fields["cache-control"] == "no-store")
            #expect(
                try site.curl("/me", bearer(site.database.key(["usage:read"]))).body.hasSuffix(
                    #","name":"test","scopes":["usage:read"]}"#))
            #expect(
                try site.curl("/me", ["-u", "ann:secret"]).body
                    == #"{"user":"ann","scopes":["usage:read"]}"#)
            #expect(try status(site, "/me", []) == 401)
            #expect(try status(site, "/me", bearer("orb_x")) == 401)
            #expect(try status(site, "/me?x", bearer(key)) == 400)
            #expect(try status(site, "/me", bearer(key) + ["-X", "OPTIONS"]) == 204)
            #expect(try status(site, "/me", bearer(key) + ["-d", "x"]) == 405)
        }
        let site = try Site()
        defer { site.stop() }
        let nobody = try site.curl("/me")
        #expect(nobody.status == 401)
        #expect(nobody.fields["www-authenticate"] == #"Bearer realm="orbital-usage""#)
    }
}

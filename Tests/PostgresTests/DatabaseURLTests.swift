import Postgres
import Testing

/// Strings that libpq would take as a database name on the local socket, password included.
@Suite struct `A connection string` {
    @Test(arguments: [
        ("postgresql+asyncpg://bob:s3cret@db.example:5432/orbital", ""),
        ("\"postgresql://bob:s3cret@db.example:5432/orbital\"", ""),
        (" postgresql://bob:s3cret@db.example:5432/orbital\n", ""),
        ("POSTGRESQL://bob:s3cret@db.example:5432/orbital", ""),
        ("postgres://bob:s3cret@db.example:5432/orbital", ""),
        ("postgresql://bob:s3cret@db.example/orbital?sslmode=require", ""),
        ("postgresql://", ""), ("host=db.example dbname=orbital password='s3 cret'", ""),
        ("postgresql://bob:s3c%ret@db.example:5432/orbital", "encoding"),
        ("postgresql://bob:s3c@ret@db.example:5432/orbital", "encoding"),
        ("postgresql://bob:s3c/ret@db.example:5432/orbital", "encoding"),
        ("postgresql://db.example:s3cret/orbital", "port"),
        ("mysql://bob:s3cret@db.example/orbital", "kind"), ("s3cret", "kind"),
    ])
    func `is read, or refused without repeating it`(text: String, expected: String) {
        do throws(DatabaseURLFault) {
            let url = try DatabaseURL(text)
            #expect(expected == "")
            #expect(url.text.hasPrefix("postgresql://") || url.text.hasPrefix("host="))
        } catch {
            #expect("\(error)" == expected || String(reflecting: error).hasSuffix(expected))
            #expect(!error.description.contains("s3c"))
        }
    }

    @Test func `does not reach the message of a failed connection`() {
        for url in [
            "postgresql://bob:s3cret@127.0.0.1:1/orbital", "s3cret",
            "postgresql+x://bob:s3cret@127.0.0.1:1/orbital",
            "host=/nonexistent user=bob password=s3cret dbname=orbital",
        ] {
            let error = #expect(throws: PostgresError.self) {
                try Connection(url: url, applicationName: "test", waitSeconds: 5)
            }
            #expect(error.map { !"\($0)".contains("s3cret") } == true)
        }
    }
}

import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A copy` {
    private func text(_ reader: CopyReader, _ column: Int) -> String? {
        reader.withText(column) { bytes in
            guard let bytes else { return nil }
            return String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
        }
    }

    @Test func `reads what it wrote, NULL and the extremes included`() throws {
        let connection = try Database().connection
        try connection.run("CREATE TABLE t (n bigint, s text)")
        let rows: [(Int64?, String?)] = [
            (1, "a"), (nil, nil), (.min, ""), (.max, "漢\u{1F600}\t\\N\n"),
            (0, String(repeating: "x", count: 300_000)),
        ]
        let writer = try CopyWriter(connection, "COPY t FROM STDIN (FORMAT binary)")
        for (number, string) in rows {
            try writer.beginRow(columns: 2)
            writer.append(integer: number)
            writer.append(text: string)
        }
        try writer.end()
        let reader = try CopyReader(
            connection, "test", "COPY (SELECT coalesce(n, -1), s FROM t) TO STDOUT (FORMAT binary)",
            columns: 2)
        for (number, string) in rows {
            #expect(try reader.next())
            #expect(reader.integer(0) == number ?? -1)
            #expect(text(reader, 1) == string)
        }
        #expect(try reader.next() == false)
        #expect(connection.isOpen)
    }

    @Test func `of nothing has no row`() throws {
        let connection = try Database().connection
        let reader = try CopyReader(
            connection, "test", "COPY (SELECT 1::bigint WHERE false) TO STDOUT (FORMAT binary)",
            columns: 1)
        #expect(try reader.next() == false)
    }

    @Test func `reports an error before the first row, and in the middle`() throws {
        let connection = try Database().connection
        #expect(throws: PostgresError.self) {
            try CopyReader(
                connection, "test", "COPY nonsense TO STDOUT (FORMAT binary)", columns: 1)
        }
        let reader = try CopyReader(
            connection, "test",
            "COPY (SELECT 10 / (5000 - n) FROM generate_series(1::bigint, 9000) n) TO STDOUT (FORMAT binary)",
            columns: 1)
        var count = 0
        let error = #expect(throws: PostgresError.self) {
            while try reader.next() { count += 1 }
        }
        #expect(error?.state == "22012")
        #expect(count == 4999)
        #expect(connection.isOpen)
    }

    @Test func `that is left half read ends its query`() throws {
        let database = try Database()
        let connection = try Connection(url: database.url, applicationName: "half", waitSeconds: 5)
        var reader: CopyReader? = try CopyReader(
            connection, "test",
            "COPY (SELECT generate_series(1::bigint, 100000000)) TO STDOUT (FORMAT binary)",
            columns: 1)
        #expect(try reader?.next() == true)
        reader = nil
        #expect(!connection.isOpen)
        #expect(
            try eventually(seconds: 5) {
                try database.value(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'half' AND state = 'active' AND wait_event IS DISTINCT FROM 'ClientWrite'"
                )
                    == "0"
            })
    }
}

import Foundation
import HTTP
import Postgres
import TestSupport
import Testing
@testable import UsageAPI
import Usage
import UsageStore

/// Records that are hard to write, compared with PostgreSQL's and Foundation's idea of them.
@Suite(.timeLimit(.minutes(2))) struct `The JSON of usage records` {
    private func json(_ database: Database) throws -> String {
        let service = Service(
            store: database.store(), cache: ResponseCache(byteLimit: 0), cacheSeconds: 0,
            isKeyed: false)
        defer { service.store.release() }
        let response = try usage(
            Request(method: "GET", path: "/usage", requestID: "1"),
            Principal(.anybody, scopes: []), service)
        guard case .stream(let produce) = response.body else { return "no stream" }
        var bytes: [UInt8] = []
        let writer = BodyWriter { piece in for index in piece.indices { bytes.append(piece[index]) }
        }
        try produce(writer)
        try writer.flush()
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `is byte for byte that of the contract`() throws {
        let database = try Database()
        #expect(try json(database) == #"{"usage":[]}"#)
        try database.addContractRecords()
        #expect(
            try json(database) == #"""
                {"usage":[{"message_id":1,"timestamp":"2024-01-15T14:30:00Z","report_name":"Contract Analysis","credits_used":15.60},{"message_id":2,"timestamp":"2024-01-15T15:45:00Z","credits_used":8.20}]}
                """#)
    }

    @Test func `holds the extremes of every column`() throws {
        let database = try Database()
        try database.replicate(
            """
            (\(Int64.min), '0001-01-01Z', '', \(Int64.max), 1), (\(Int64.max), '9999-12-31T23:59:59.999999Z', '', 0, 1),
            (-10, '1969-12-31T23:59:59.000001Z', '', 5, 1), (0, '1970-01-01Z', '', 10, 1), (9, '1999-12-31T23:59:59Z', '', 99, 1),
            (10, '2000-02-29T00:00:00.1Z', '', 100, 1), (1000000000000000000, '2000-03-01Z', '', 101, 1), (999999999999999999, '2000-03-02Z', '', 1, 1)
            """)
        #expect(
            try json(database) == #"""
                {"usage":[{"message_id":-9223372036854775808,"timestamp":"0001-01-01T00:00:00Z","credits_used":92233720368547758.07},{"message_id":-10,"timestamp":"1969-12-31T23:59:59.000001Z","credits_used":0.05},{"message_id":0,"timestamp":"1970-01-01T00:00:00Z","credits_used":0.10},{"message_id":9,"timestamp":"1999-12-31T23:59:59Z","credits_used":0.99},{"message_id":10,"timestamp":"2000-02-29T00:00:00.100000Z","credits_used":1.00},{"message_id":1000000000000000000,"timestamp":"2000-03-01T00:00:00Z","credits_used":1.01},{"message_id":999999999999999999,"timestamp":"2000-03-02T00:00:00Z","credits_used":0.01},{"message_id":9223372036854775807,"timestamp":"9999-12-31T23:59:59.999999Z","credits_used":0.00}]}
                """#)
    }

    @Test(arguments: [
        (Int64.min, "-92233720368547758.08"), (-120, "-1.20"), (-100, "-1.00"), (-50, "-0.50"),
        (-1, "-0.01"), (0, "0.00"),
    ])
    func `has the sign of negative credits once, before the number`(
        hundredths: Int64, text: String
    ) {
        let bytes = [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            guard let base = buffer.baseAddress else { return }
            var output = OutputCursor(base)
            output.put(Credits(hundredths: hundredths))
            count = output.position - base
        }
        #expect(String(decoding: bytes, as: UTF8.self) == text)
    }

    @Test func `escapes report names as JSON requires, and keeps all other characters`() throws {
        let database = try Database()
        for code in 1...0x2f {
            try database.connection.query(
                "INSERT INTO usage_record (message_id, \"timestamp\", report_name, message_text) VALUES ($1, '2024-01-01Z', $2, '')",
                [
                    String(code),
                    "a" + String(UnicodeScalar(UInt8(code)))
                        + "\"\\/é漢\u{1F468}\u{200D}\u{1F469}\u{2028}\u{7f}",
                ])
        }
        try database.run(
            "INSERT INTO usage_record VALUES (1000, '2024-01-01Z', repeat(chr(1), 500), '')")
        let answer = try json(database)
        struct Answer: Decodable {
            struct Record: Decodable { let message_id: Int; let report_name: String }
            let usage: [Record]
        }
        let records = try JSONDecoder().decode(Answer.self, from: Data(answer.utf8)).usage
        for record in records.dropLast() {
            #expect(
                record.report_name == "a" + String(UnicodeScalar(UInt8(record.message_id)))
                    + "\"\\/é漢\u{1F468}\u{200D}\u{1F469}\u{2028}\u{7f}")
        }
        #expect(records.last?.report_name == String(repeating: "\u{1}", count: 500))
        #expect(answer.contains(#""report_name":"a\n\"\\/é漢"#))
        #expect(answer.contains(#"\u001f"#) && answer.contains(#"\b"#) && answer.contains(#"\f"#))
    }

    @Test func `does not depend on the server's settings`() throws {
        let database = try Database()
        try database.addRecords(100)
        let before = try json(database)
        for setting in [
            "TimeZone = 'Asia/Kathmandu'", "DateStyle = 'German'", "IntervalStyle = 'iso_8601'",
            "bytea_output = 'escape'", "extra_float_digits = 0", "client_encoding = 'LATIN1'",
        ] {
            let name = try database.value("SELECT current_database()") ?? ""
            try database.run("ALTER DATABASE \(name) SET \(setting)")
        }
        #expect(try json(database) == before)
    }
}

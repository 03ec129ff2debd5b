import Foundation
import TestSupport
import Testing

/// Files as spreadsheets and other programs write them.
@Suite(.timeLimit(.minutes(2))) struct `orbitalctl import, given real files,` {
    private let database: Database
    private let folder: URL

    init() throws {
        database = try Database()
        folder = TemporaryFolder.shared.file("files")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func run(_ bytes: Data, _ options: [String] = []) throws -> Program.Outcome {
        let file = folder.appendingPathComponent("messages")
        try bytes.write(to: file)
        return try Program.run(
            Repository.program("orbitalctl"), ["import", file.path] + options,
            environment: ["DATABASE_URL": database.url])
    }

    /// What was recorded, as CSV.
    private var records: String {
        get throws {
            try database.psql(
                """
                SELECT message_id, extract(epoch FROM "timestamp")::bigint, report_name, message_text
                FROM usage_record ORDER BY message_id
                """)
        }
    }

    private static let header = "message_id,timestamp,report_name,message_text\r\n"
    private static let row = "1,2024-01-15T14:30:00Z,Größe,Wie hoch?\r\n"
    private static let recorded = "1|1705329000|Größe|Wie hoch?"
    private static let one = "created 1, duplicates 0, conflicts 0, invalid 0\n"

    @Test(arguments: [",", ";", "\t"])
    func `detects the CSV delimiter from the header`(delimiter: String) throws {
        let csv = (Self.header + Self.row).replacing(",", with: delimiter)
        let quoted = csv.replacing("message_text", with: "\"message_text\"")
        #expect(try run(Data(csv.utf8)).output == Self.one)
        #expect(try records == Self.recorded)
        #expect(try run(Data(quoted.utf8)).output.hasPrefix("created 0, duplicates 1,"))
    }

    @Test(arguments: [String.Encoding.utf16LittleEndian, .utf16BigEndian, .utf8])
    func `reads every encoding with a byte order mark`(encoding: String.Encoding) throws {
        let text = "\u{feff}" + Self.header + Self.row + "2,2024-01-15T14:30:00Z,😀,x"
        #expect(
            try run(try #require(text.data(using: encoding))).output
                == "created 2, duplicates 0, conflicts 0, invalid 0\n")
        #expect(try records == Self.recorded + "\n2|1705329000|😀|x")
    }

    @Test(arguments: [1, 2, 3])
    func `rejects a UTF-16 row that ends within a character`(cut: Int) throws {
        let text = "\u{feff}" + Self.header + Self.row + "2,2024-01-15T14:30:00Z,,y😀"
        let bytes = try #require(text.data(using: .utf16LittleEndian))
        #expect(
            try run(bytes.dropLast(cut)).output
                == "created 1, duplicates 0, conflicts 0, invalid 1\n")
        #expect(try records == Self.recorded)
    }

    @Test func `rejects an id that a spreadsheet has rounded`() throws {
        let rounded = Self.row.replacing("1,", with: "1.23457E+15,", maxReplacements: 1)
        #expect(
            try run(Data((Self.header + rounded).utf8)).output
                == "created 0, duplicates 0, conflicts 0, invalid 1\n")
    }

    @Test func `takes the delimiter of a sep line, or of the option`() throws {
        let rows = (Self.header + Self.row).replacing(",", with: ";")
        #expect(try run(Data("sep=;\r\n\(rows)".utf8)).output == Self.one)
        #expect(try run(Data(rows.utf8), ["--delimiter", ";"]).output.hasPrefix("created 0, dup"))
        let wrong = try run(Data(rows.utf8), ["--delimiter", "tab"])
        #expect(wrong.status == 65)
        #expect(
            wrong.errors.hasPrefix(
                #"orbitalctl: the CSV header has the columns "message_id;timestamp;report_name;message_text", separated by a tab; missing: message_id, timestamp; unknown: message_id;timestamp;report_name;message_text. Required columns: message_id, timestamp; optional: external_id,"#
            ), "\(wrong.errors)")
    }

    @Test(arguments: [(",", "a comma"), (";", "a semicolon"), ("\t", "a tab")])
    func `names the delimiter of a header without a known column`(delimiter: String, words: String)
        throws
    {
        let refused = try run(Data("id,date,text\n".replacing(",", with: delimiter).utf8))
        #expect(refused.status == 65)
        #expect(
            refused.errors.contains(
                #"has the columns "id", "date", "text", separated by \#(words);"#),
            "\(refused.errors)")
    }

    @Test func `skips rows that are empty`() throws {
        #expect(
            try run(Data((Self.header + Self.row + ",,,\r\n\r\n\"\",,,\r\n,,,").utf8)).output
                == Self.one)
    }

    @Test func `unpacks gzip, and refuses a truncated file`() throws {
        let plain = folder.appendingPathComponent("plain")
        try Data((Self.header + Self.row).utf8).write(to: plain)
        #expect(try Program.run("/usr/bin/gzip", ["-kf", plain.path]).status == 0)
        let packed = try Data(contentsOf: folder.appendingPathComponent("plain.gz"))
        #expect(try run(packed.prefix(packed.count - 20)).status == 65)
        #expect(try records == "")
        #expect(try run(packed).output == Self.one)
        #expect(try records == Self.recorded)
    }

    @Test(arguments: [Data("1,2024-".utf8), Data([0x1f])])
    func `refuses a gzip file with trailing data`(rest: Data) throws {
        let plain = folder.appendingPathComponent("plain")
        try Data((Self.header + Self.row).utf8).write(to: plain)
        #expect(try Program.run("/usr/bin/gzip", ["-kf", plain.path]).status == 0)
        let packed = try Data(contentsOf: folder.appendingPathComponent("plain.gz"))
        let refused = try run(packed + rest)
        #expect(refused.status == 65)
        #expect(refused.errors.hasSuffix("other data follows the gzip data\n"))
        #expect(try records == "")
        #expect(try run(packed + Data(count: 512)).output == Self.one)
    }

    @Test func `refuses a CSV header with another column`() throws {
        let refused = try run(
            Data("message_id,timestamp,Text\r\n1,2024-01-15T14:30:00Z,x\r\n".utf8))
        #expect(refused.status == 65)
        #expect(
            refused.errors.contains(
                #"has the columns "message_id", "timestamp", "Text", separated by a comma; unknown: Text. Required"#
            ))
    }

    @Test func `records the other rows of a file with a huge one, in seconds`() throws {
        var csv = Data((Self.header + Self.row + "3,2024-01-15T14:30:00Z,,\"").utf8)
        csv.append(Data(repeating: UInt8(ascii: "x"), count: 200 << 20))
        csv.append(Data("\"\r\n2,2024-01-15T14:30:00Z,,y\r\n".utf8))
        let start = ContinuousClock.now
        let outcome = try run(csv)
        #expect(outcome.output == "created 2, duplicates 0, conflicts 0, invalid 1\n")
        // 12 s byte by byte.
        #expect(ContinuousClock.now - start < .seconds(5))
        let rejected = try String(
            contentsOfFile: folder.path + "/messages.rejected.ndjson", encoding: .utf8)
        #expect(
            rejected.hasPrefix(
                #"{"line":3,"reason":"The message is longer than 64 MiB.","input":"3,2024-"#))
        #expect(rejected.utf8.count < 2000)
    }

    @Test func `reads null, a byte order mark and integral numbers as POST does`() throws {
        let lines = """
            \u{feff}{"message_id":104,"timestamp":"2024-01-01T00:00:00Z","message_text":"a","report_name":null}
            {"message_id":3.18e2,"timestamp":"2024-01-01T00:00:00Z","message_text":"b","credits_used":1.0}
            {"message_id":319,"timestamp":"2024-01-01T00:00:00Z","message_text":"\\ud83d"}
            """
        #expect(
            try run(Data(lines.utf8)).output
                == "created 2, duplicates 0, conflicts 0, invalid 1\n")
        #expect(try records == "104|1704067200||a\n318|1704067200||b")
    }
}

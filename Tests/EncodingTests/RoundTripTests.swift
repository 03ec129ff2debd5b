import Encoding
import Testing

/// Bytes in memory, which are passed on in pieces of three.
private final class Bytes: ByteReader {
    private var rest: ArraySlice<UInt8>
    private(set) var line = 1

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    func peek() -> UInt8? { rest.first }

    func next() -> UInt8? {
        guard let byte = rest.popFirst() else { return nil }
        if byte == UInt8(ascii: "\n") { line += 1 }
        return byte
    }

    func read(
        until first: UInt8, or second: UInt8, _ take: (ArraySlice<UInt8>) -> Void
    ) {
        while let byte = peek(), byte != first, byte != second {
            let piece = rest.prefix(3).prefix { $0 != first && $0 != second }
            for _ in piece { _ = next() }
            take(piece)
        }
    }
}

@Suite struct `What is written` {
    @Test func `as CSV is read back, whatever the fields hold`() throws {
        let rows = [
            ["1", "plain", "é"], ["", "a,b", "say \"hi\""], ["two\nlines", "\"", "\r\n"],
            ["\"\"", ",", ""],
        ]
        var csv = CSVWriter()
        for row in rows { csv.row(row) }
        let reader = CSVReader(Bytes(csv.bytes), delimiter: UInt8(ascii: ","))
        for row in rows {
            let read = try #require(try reader.row())
            #expect(read.fields == row)
            #expect(!read.isMisquoted && read.isUTF8 && !read.isEmpty)
        }
        #expect(try reader.row() == nil)
        #expect(reader.line == 7)
    }

    @Test func `as JSON is read back, whatever the strings hold`() throws {
        for byte in UInt8(0)..<0x80 {
            var json = JSONWriter()
            let text = "a\(UnicodeScalar(byte))b"
            json.object { $0.member("text", text) }
            guard case .object(let members) = JSONItem(json.bytes) else {
                Issue.record("\(byte)")
                continue
            }
            #expect(members["text"] == .string(text))
        }
    }

    @Test func `as base64url is read back, at every length`() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 151 + count) }
            let text = Base64URL.text(bytes)
            #expect(Base64URL.bytes(text) == bytes)
            #expect(text.utf8.count == (count * 8 + 5) / 6)
        }
        for broken in ["A", "AB", "AA=", "A+", "é"] { #expect(Base64URL.bytes(broken) == nil) }
    }
}

@Suite struct `A CSV reader` {
    private func reader(_ text: String) -> CSVReader<Bytes> {
        CSVReader(Bytes(Array(text.utf8)), delimiter: UInt8(ascii: ";"))
    }

    @Test func `notices text after a closing quote`() throws {
        #expect(try reader("a;\"b\"c\n").row()?.isMisquoted == true)
    }

    @Test func `throws the line of a row whose quote is not closed`() throws {
        let reader = reader("a\n\"b;\nc\n")
        #expect(try reader.row()?.fields == ["a"])
        let fault = #expect(throws: UnclosedQuote.self) { try reader.row() }
        #expect(fault?.line == 2)
    }
}

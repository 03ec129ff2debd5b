import Encoding
import Testing

@Suite(.timeLimit(.minutes(1))) struct `The items of a body` {
    /// What is wrong with a text; nil for one that is JSON.
    private func fault(_ text: [UInt8]) -> String? {
        do {
            _ = try JSONItems(json: text, limit: 10) { _ in }
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// The names of the members of each line, or why it is no object.
    private func lines(_ text: String, limit: Int = 10) throws -> [[String]] {
        let items = try JSONItems(lines: Array(text.utf8), limit: limit) { item in
            switch item {
            case .object(let members): members.names
            case .other: ["other"]
            case .malformed(let reason): ["malformed", reason]
            }
        }
        guard case .many(let lines) = items else { return [] }
        return lines
    }

    @Test(arguments: 0..<UInt8(0x20))
    func `hold no raw control character, wherever it stands in a string`(control: UInt8) {
        for length in 0..<50 {
            let filler = String(repeating: "x", count: length)
            for start in ["[\"\(filler)", "{\"\(filler)", #"["\n\#(filler)"#, "[\"é\(filler)"] {
                for rest in ["\"", "\(filler)\""] {
                    let end = rest + (start.hasPrefix("{") ? ":1}" : "]")
                    let text = Array(start.utf8) + [control] + Array(end.utf8)
                    #expect(fault(text) != nil, "\(control) after \(start)")
                    let escape = Array(String(control, radix: 16).utf8)
                    let zeros = [UInt8](repeating: 0x30, count: 4 - escape.count)
                    let escaped = Array(start.utf8) + Array("\\u".utf8) + zeros + escape
                    #expect(fault(escaped + Array(end.utf8)) == nil)
                }
            }
        }
    }

    @Test func `are lines that cannot spoil each other`() throws {
        let names = [#""\u00e9\n""#, "\"x\"", #""\"long\" \\ \u20ac""#, "\"y\""]
        for length in 0..<40 {
            let filler = String(repeating: "z", count: length)
            let text = names.map { "{\"\(filler)\":1,\($0):2}" }.joined(separator: "\n{\"\n")
            let expected = ["é\n", "x", "\"long\" \\ €", "y"].map { [filler, $0] }
            let found = try lines(text)
            #expect(found.enumerated().filter { $0.offset % 2 == 0 }.map(\.element) == expected)
            #expect(
                found.enumerated().filter { $0.offset % 2 == 1 }.allSatisfy { $1[0] == "malformed" }
            )
        }
        #expect(
            try lines("{}\u{0}\n[]\r\n1 1\n\u{1f}").map(\.first) == [
                "malformed", "other", "malformed", "malformed",
            ])
    }

    @Test func `are counted without the lines that are blank`() throws {
        #expect(try lines("\n \n\t\r\n[]\n\n{}", limit: 2) == [["other"], []])
        #expect(try lines("") == [])
        #expect(try lines("\n\n", limit: 0) == [])
        #expect(throws: TooManyItems.self) { try lines("[]\n\n{}\nx", limit: 2) }
    }

    @Test func `hold no more than the beginning of a long name`() throws {
        let marks = String(repeating: "\u{301}\u{323}", count: 2_000_000)
        let name = try #require(try lines("{\"a\(marks)\":1}").first?.first)
        #expect(name.utf8.count <= 103)
        #expect(name.hasSuffix("…"))
    }
}

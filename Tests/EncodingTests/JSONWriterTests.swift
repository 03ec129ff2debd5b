import Encoding
import Testing

@Suite struct `A JSON writer` {
    @Test func `writes members in order, without blanks`() {
        var json = JSONWriter()
        json.object { json in
            json.member("name", "a")
            json.member("credits", literal: "15.60")
            json.name("list")
            json.array { json in
                json.string("x")
                json.object { _ in }
                json.array { $0.string("y") }
            }
            json.member("last", "z")
        }
        #expect(text(json) == #"{"name":"a","credits":15.60,"list":["x",{},["y"]],"last":"z"}"#)
    }

    @Test func `escapes what a string cannot hold, and nothing else`() {
        for byte in UInt8(0)..<0x20 {
            let short: [UInt8: String] = [8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"]
            let digits = String(byte, radix: 16)
            let escape = short[byte] ?? "\\u00" + (byte < 16 ? "0" : "") + digits
            var json = JSONWriter()
            json.string(String(UnicodeScalar(byte)))
            #expect(text(json) == "\"\(escape)\"")
        }
        var json = JSONWriter()
        json.string("\"\\/\u{7f}é漢\u{1F468}\u{200D}\u{1F469}")
        #expect(text(json) == "\"\\\"\\\\/\u{7f}é漢\u{1F468}\u{200D}\u{1F469}\"")
    }

    private func text(_ json: JSONWriter) -> String { String(decoding: json.bytes, as: UTF8.self) }
}

/// Messages made by rule, the same in every run: mostly plain text, some of it escaped in JSON.
enum SampleMessages {
    private static let words = [
        "What", "is", "the", "rent", "under", "clause", "17.4", "of", "this", "lease", "and",
        "when",
        "does", "it", "end?", "Summarise", "indemnification", "obligations", "for", "§12(b),",
        "“Übergabe”", "€1,250.00", "a\u{300}", "日本語", "\n", "\"quoted\"", "counterparty's", "due",
    ]

    /// The text of message `index`: 4 to 43 words.
    static func text(_ index: Int) -> String {
        var state = UInt32(index)
        return (0..<4 + index * 13 % 40).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return words[Int(state >> 16) % words.count]
        }.joined(separator: " ")
    }

    static func reportName(_ index: Int) -> String {
        index % 30 == 0 ? "Lease \"\(index)\", é" : "Contract Analysis \(index % 50)"
    }

    static func timestamp(_ index: Int) -> String {
        func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let date = "2024-\(padded(index % 12 + 1))-\(padded(index % 28 + 1))"
        let time = "\(padded(index % 24)):\(padded(index % 60)):\(padded(index * 7 % 60))"
        return "\(date)T\(time)\(index % 4 == 0 ? ".123456" : "")\(index % 2 == 0 ? "Z" : "+01:00")"
    }

    /// A JSON array of `count` messages.
    static func array(_ count: Int) -> [UInt8] {
        Array("[\((0..<count).map(json).joined(separator: ","))]".utf8)
    }

    /// As many lines of NDJSON.
    static func lines(_ count: Int) -> [UInt8] {
        Array((0..<count).map(json).joined(separator: "\n").utf8)
    }

    private static func json(_ index: Int) -> String {
        let name = index % 3 == 0 ? #","report_name":\#(quoted(reportName(index)))"# : ""
        return #"{"message_id":\#(index + 1),"timestamp":"\#(timestamp(index))"\#(name)"#
            + #","message_text":\#(quoted(text(index)))}"#
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\n": quoted += "\\n"
            case "€": quoted += "\\u20ac"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
